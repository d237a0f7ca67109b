import { AppError, appError } from "../../core/errors.ts";
import type { LanguageModel, VisionModel } from "./backend.ts";
import { BindingThread } from "./binding/thread.ts";
import type { SessionOptions } from "./engine.ts";
import { type LanguageModelInput, openLanguageModel } from "./open-language.ts";
import { ortEnvironment } from "./ort/environment.ts";
import { OrtVisionModel, type VisionModelSource } from "./vision-model.ts";

/** A way to run models. A process takes one and stays with it. */
export interface Runtime {
  /** Null: the first choice. Else why the second is used, in words for the settings. */
  readonly instead: string | null;
  /** Of ONNX Runtime. */
  readonly version: string;
  openLanguage(source: LanguageModelInput, options: SessionOptions): Promise<LanguageModel>;
  openVision(source: VisionModelSource, options: SessionOptions): Promise<VisionModel>;
}

export interface RuntimeOpeners {
  first(): Promise<Runtime>;
  /** `reason`: why the first did not open. */
  second(reason: string): Promise<Runtime>;
}

/**
 * The C interface of ONNX Runtime, and where that does not load the package's own binding in a thread: slower, and on
 * the CPU alone. `lost` is called where that thread ends by itself.
 */
export function runtimeOpeners(lost: () => void): RuntimeOpeners {
  return { first: openCRuntime, second: (reason) => openBindingRuntime(reason, lost) };
}

/** @throws what kept the first from opening, where the second does not open either */
export async function openRuntime(openers: RuntimeOpeners): Promise<Runtime> {
  try {
    return await openers.first();
  } catch (failure) {
    try {
      return await openers.second(reasonOf(failure));
    } catch (second) {
      if (failure instanceof AppError) throw failure;
      const message = "The model runtime cannot be loaded on this machine. The log holds details.";
      throw appError("provider-not-available", message, new AggregateError([failure, second]));
    }
  }
}

export async function openCRuntime(): Promise<Runtime> {
  const { version } = ortEnvironment();
  return {
    instead: null,
    version,
    openLanguage: (source, options) => openLanguageModel(source, options),
    openVision: (source, options) => OrtVisionModel.open(source, options),
  };
}

export async function openBindingRuntime(reason: string, lost: () => void): Promise<Runtime> {
  const thread = await BindingThread.start({ lost });
  return {
    instead: reason,
    version: thread.version,
    openLanguage: (source, { threads }) => thread.openLanguage(source, threads),
    openVision: (source, { threads }) => thread.openVision(source, threads),
  };
}

/** What a native library says when it does not load holds paths; errors with names are written for the user. */
function reasonOf(failure: unknown): string {
  return failure instanceof AppError
    ? failure.message
    : "This machine does not let it call native functions.";
}
