import { appError } from "../../../core/errors.ts";
import { runFailure, type RuntimeWords } from "../run-failure.ts";
import {
  openOrtLibrary,
  type OrtFunctions,
  type OutHandle,
  type OutNumber,
  textAt,
  textsAt,
} from "./functions.ts";
import type { Handle } from "./library.ts";

/** What is made once a process: the library, its environment, and the description of CPU memory. */
export interface OrtEnvironment {
  readonly version: string;
  readonly functions: OrtFunctions;
  readonly env: Handle;
  readonly cpuMemory: Handle;
  /** Belongs to the library; for the names it hands out. */
  readonly allocator: Handle;
  /** As the library names them, e.g. "CPUExecutionProvider". */
  readonly providers: readonly string[];
}

const fatalOnly = 4;

let shared: OrtEnvironment | undefined;

/** The environment of this process, made with the first call. @throws whatever keeps the C interface from working */
export function ortEnvironment(): OrtEnvironment {
  shared ??= openEnvironment();
  return shared;
}

function openEnvironment(): OrtEnvironment {
  const { version, functions } = openOrtLibrary();
  assertFunctions(functions);
  const env = take(functions, (out) => functions.CreateEnv(fatalOnly, "meditron", out));
  check(functions, functions.DisableTelemetryEvents(env));
  const arena = 1;
  const defaultMemory = 0;
  return {
    version,
    functions,
    env,
    cpuMemory: take(functions, (out) => functions.CreateCpuMemoryInfo(arena, defaultMemory, out)),
    allocator: take(functions, (out) => functions.GetAllocatorWithDefaultOptions(out)),
    providers: availableProviders(functions),
  };
}

/** OrtErrorCode, by number (onnxruntime_c_api.h). */
const noSuchFile = 3;
const invalidProtobuf = 7;
const invalidGraph = 10;

/** Throws what an OrtStatus says and releases it. */
export function check(functions: OrtFunctions, status: Handle | null): void {
  if (status === null) return;
  const code = functions.GetErrorCode(status);
  const message = functions.GetErrorMessage(status);
  functions.ReleaseStatus(status);
  throw runFailure({ kind: kindOf(code), message });
}

function kindOf(code: number): RuntimeWords["kind"] {
  if (code === noSuchFile) return "missing-file";
  return code === invalidProtobuf || code === invalidGraph ? "bad-graph" : "other";
}

/** Calls a function that writes a handle, and returns the handle. */
export function take(functions: OrtFunctions, call: (out: OutHandle) => Handle | null): Handle {
  const out: OutHandle = [null];
  check(functions, call(out));
  if (out[0] === null) throw appError("model-failed", "The model runtime gave nothing back.");
  return out[0];
}

export function takeNumber(functions: OrtFunctions, call: (out: OutNumber) => Handle | null): number {
  const out: OutNumber = [0];
  check(functions, call(out));
  return Number(out[0]);
}

function availableProviders(functions: OrtFunctions): string[] {
  const count: OutNumber = [0];
  const names = take(functions, (out) => functions.GetAvailableProviders(out, count));
  const texts = textsAt(names, count[0]);
  check(functions, functions.ReleaseAvailableProviders(names, count[0]));
  return texts;
}

/**
 * Values that go in and come out again show that the table of functions is the one this file was written for: a
 * shifted table would call the wrong function with the wrong arguments, and corrupt memory without a word.
 */
function assertFunctions(functions: OrtFunctions): void {
  const mark = "round trip";
  const status = functions.CreateStatus(noSuchFile, mark);
  const statusCode = functions.GetErrorCode(status);
  const statusText = functions.GetErrorMessage(status);
  functions.ReleaseStatus(status);
  if (statusCode !== noSuchFile || statusText !== mark) throw wrongTable("status");

  const options = take(functions, (out) => functions.CreateSessionOptions(out));
  check(functions, functions.AddSessionConfigEntry(options, "meditron.mark", mark));
  const has = (key: string) =>
    takeNumber(functions, (out) => functions.HasSessionConfigEntry(options, key, out)) !== 0;
  if (!has("meditron.mark") || has("meditron.other")) throw wrongTable("session options");
  functions.ReleaseSessionOptions(options);

  const run = take(functions, (out) => functions.CreateRunOptions(out));
  check(functions, functions.RunOptionsSetRunTag(run, mark));
  if (textAt(take(functions, (out) => functions.RunOptionsGetRunTag(run, out))) !== mark) {
    throw wrongTable("run options");
  }
  functions.ReleaseRunOptions(run);

  if (!functions.GetBuildInfoString().includes("ORT Build Info")) throw wrongTable("build info");
}

function wrongTable(part: string): Error {
  return appError(
    "model-failed",
    `The model runtime on this machine is not the one this app needs (${part}).`,
  );
}
