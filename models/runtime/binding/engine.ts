import { createRequire } from "node:module";
import type * as Ort from "onnxruntime-node";
import { appError, throwIfAborted } from "../../../core/errors.ts";
import {
  assertLength,
  type DeviceTensor,
  type Engine,
  type GraphBinding,
  type GraphSession,
  type GraphSource,
  type GraphTensor,
  type InputType,
  sessionEntries,
  type SessionOptions,
  type TensorData,
} from "../engine.ts";
import { runFailure, type RuntimeWords } from "../run-failure.ts";

/**
 * ONNX Runtime through the package's own binding, on the CPU. A run blocks the thread that starts it and cannot be
 * stopped, so `thread.ts` puts this into a thread of its own, and a run is kept short.
 */
export const nodeBinding: Engine = {
  chunk: 32,
  open: (source, options) => BindingSession.open(source, options),
  tensor: (data, shape) => new BindingTensor(data, shape),
};

let loaded: typeof Ort | undefined;

/** Loaded with the first call. Whoever starts this thread has switched off the library's telemetry (`thread.ts`). */
function ort(): typeof Ort {
  if (loaded) return loaded;
  const library = createRequire(import.meta.url)("onnxruntime-node") as typeof Ort;
  // Its warnings would go to the log with paths in them.
  library.env.logLevel = "fatal";
  loaded = library;
  return library;
}

/** @throws where the binding cannot be loaded here */
export function bindingVersion(): string {
  return ort().env.versions.node ?? "unknown";
}

const fatalOnly = 4;

class BindingSession implements GraphSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly device = null;
  #session: Ort.InferenceSession | null;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(session: Ort.InferenceSession) {
    this.#session = session;
    this.inputs = session.inputNames;
    this.outputs = session.outputNames;
  }

  static async open(source: GraphSource, { provider, threads }: SessionOptions): Promise<BindingSession> {
    if (provider !== null) {
      throw appError(
        "provider-not-available",
        "The second interface of the model runtime has the CPU alone.",
      );
    }
    const options: Ort.InferenceSession.SessionOptions = {
      executionProviders: ["cpu"],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      logSeverityLevel: fatalOnly,
      extra: { ...sessionEntries(source) },
    };
    const { InferenceSession } = ort();
    try {
      return new BindingSession(
        source.type === "file"
          ? await InferenceSession.create(source.path, options)
          : await InferenceSession.create(source.bytes, options),
      );
    } catch (thrown) {
      throw runFailure(openingWords(thrown));
    }
  }

  inputShape(name: string): number[] {
    return this.#input(name).shape.map((dimension) => (typeof dimension === "number" ? dimension : -1));
  }

  inputType(name: string): InputType {
    const { type } = this.#input(name);
    return type === "float32" || type === "float16" || type === "int8" ? type : "other";
  }

  #input(name: string): Ort.InferenceSession.TensorValueMetadata {
    const input = this.#open.inputMetadata.find((one) => one.name === name);
    if (input?.isTensor) return input;
    throw appError("pack-damaged", `A graph of the model pack has no input ${name}.`);
  }

  bind(): GraphBinding {
    return new TensorsByName(this);
  }

  run(binding: GraphBinding, signal: AbortSignal): Promise<void> {
    const work = this.#queue.then(() => this.#runNow(binding as TensorsByName, signal));
    this.#queue = work.catch(() => undefined);
    return work;
  }

  async dispose(): Promise<void> {
    await this.#queue;
    const session = this.#session;
    this.#session = null;
    await session?.release();
  }

  get #open(): Ort.InferenceSession {
    if (this.#session === null) throw appError("model-failed", "A model was used after it was closed.");
    return this.#session;
  }

  async #runNow({ feeds, fetches }: TensorsByName, signal: AbortSignal): Promise<void> {
    // Messages that came during the last run, a cancellation among them, are heard before the next.
    await new Promise(setImmediate);
    throwIfAborted(signal);
    try {
      await this.#open.run(feeds, fetches);
    } catch (thrown) {
      throw runFailure({ kind: "other", message: wordsOf(thrown) });
    }
    throwIfAborted(signal);
  }
}

/** Outputs are given as tensors, so that the library writes into their memory: a cache is extended in place. */
class TensorsByName implements GraphBinding {
  readonly #session: BindingSession;
  readonly #feeds: Record<string, Ort.Tensor> = {};
  readonly #fetches: Record<string, Ort.Tensor> = {};
  #open = true;

  constructor(session: BindingSession) {
    this.#session = session;
  }

  get feeds(): Readonly<Record<string, Ort.Tensor>> {
    if (!this.#open) throw appError("model-failed", "A binding was used after its end.");
    return this.#feeds;
  }

  get fetches(): Readonly<Record<string, Ort.Tensor>> {
    return this.#fetches;
  }

  input(name: string, tensor: GraphTensor | DeviceTensor): void {
    this.#feeds[name] = (tensor as BindingTensor).value;
  }

  output(name: string, tensor: GraphTensor | DeviceTensor): void {
    this.#fetches[name] = (tensor as BindingTensor).value;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#session.run(this, signal);
  }

  dispose(): void {
    this.#open = false;
    for (const tensors of [this.#feeds, this.#fetches]) {
      for (const name of Object.keys(tensors)) delete tensors[name];
    }
  }
}

class BindingTensor<Data extends TensorData = TensorData> implements GraphTensor<Data> {
  readonly data: Data;
  readonly shape: readonly number[];
  #value: Ort.Tensor | null;

  constructor(data: Data, shape: readonly number[]) {
    assertLength(data, shape);
    this.data = data;
    this.shape = shape;
    this.#value = new (ort().Tensor)(typeOf(data), data, shape) as Ort.Tensor;
  }

  get value(): Ort.Tensor {
    if (this.#value === null) throw appError("model-failed", "A tensor was used after its end.");
    return this.#value;
  }

  dispose(): void {
    this.#value = null;
  }
}

function typeOf(data: TensorData): Ort.Tensor.Type {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Int32Array) return "int32";
  return "int64";
}

/** The binding passes the library's words on without its numbers. */
function openingWords(thrown: unknown): RuntimeWords {
  const message = wordsOf(thrown);
  if (/doesn't exist|does not exist|no such file/i.test(message)) return { kind: "missing-file", message };
  const bad = /protobuf parsing failed|invalid model|invalid graph|failed to parse|not a valid/i.test(
    message,
  );
  return { kind: bad ? "bad-graph" : "other", message };
}

function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
