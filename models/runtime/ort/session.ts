import path from "node:path";
import { appError, throwIfAborted } from "../../../core/errors.ts";
import {
  type GraphBinding,
  type GraphSession,
  type GraphSource,
  type InputType,
  sessionEntries,
  type SessionOptions,
  type SessionProvider,
} from "../engine.ts";
import { carefulGraph } from "../careful-graph.ts";
import { preparedFiles } from "../prepared-weights.ts";
import { check, ortEnvironment, type OrtEnvironment, take, takeNumber } from "./environment.ts";
import { callAsync, type OrtFunctions, type OutHandle, textAt } from "./functions.ts";
import { giveBackFreedMemory } from "./freed-memory.ts";
import type { Handle } from "./library.ts";
import { letGoOfFiles } from "./mapped-files.ts";
import { DeviceMemory, type DeviceTensor } from "./device-memory.ts";
import type { Tensor } from "./tensor.ts";

const fatalOnly = 4;
const allOptimisations = 99;

/**
 * Products with numbers below 1e-38 take a hundred times as long, and attention has many such weights where the model
 * is sure of where to look. Threads of the session take them for zero, and the thread that opens the process's first
 * session: never the one that runs JavaScript, where numbers must stay what they are.
 */
const numbers = { "session.set_denormal_as_zero": "1" };

/** By ONNXTensorElementDataType. */
const inputTypes: Readonly<Record<number, InputType>> = { 1: "float32", 3: "int8", 10: "float16" };

/** A loaded graph. Runs are serialised: two of them on few cores only slow each other. */
export class Session implements GraphSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Memory of the device that the graph runs on; null: main memory. */
  readonly device: DeviceMemory | null;
  readonly #ort: OrtEnvironment;
  #handle: Handle | null;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(ort: OrtEnvironment, handle: Handle, memory: string | null) {
    this.#ort = ort;
    this.#handle = handle;
    this.inputs = names(ort, handle, "Input");
    this.outputs = names(ort, handle, "Output");
    this.device = memory === null ? null : new DeviceMemory(handle, memory, this.#cacheType());
  }

  /** Reads and optimises a graph on a worker thread. @throws pack-damaged, out-of-memory, provider-not-available. */
  static async open(given: GraphSource, options: SessionOptions): Promise<Session> {
    const source =
      options.careful && given.type === "bytes" ? { ...given, bytes: carefulGraph(given.bytes) } : given;
    const ort = ortEnvironment();
    const { functions } = ort;
    const native = sessionOptions(functions, source, options);
    try {
      const out: OutHandle = [null];
      const status =
        source.type === "file"
          ? await callAsync(functions.CreateSession, [ort.env, source.path, native, out])
          : await callAsync(functions.CreateSessionFromArray, [
              ort.env,
              source.bytes,
              source.bytes.byteLength,
              native,
              out,
            ]);
      check(functions, status);
      if (out[0] === null) throw appError("model-failed", "The model runtime gave no session.");
      giveBackFreedMemory();
      const folder = source.type === "file" ? path.dirname(source.path) : source.dataFolder;
      if (folder !== null) await letGoOfFiles(folder);
      return new Session(ort, out[0], options.provider?.memory ?? null);
    } finally {
      functions.ReleaseSessionOptions(native);
    }
  }

  get handle(): Handle {
    if (this.#handle === null) throw appError("model-failed", "A model was used after it was closed.");
    return this.#handle;
  }

  /** The declared shape of an input; named dimensions are -1. */
  inputShape(name: string): number[] {
    const { functions } = this.#ort;
    const index = this.inputs.indexOf(name);
    if (index < 0) throw appError("pack-damaged", `A graph of the model pack has no input ${name}.`);
    return this.#withTensorInfo(index, (tensor) => {
      const rank = takeNumber(functions, (out) => functions.GetDimensionsCount(tensor, out));
      const shape = new BigInt64Array(rank);
      if (rank > 0) check(functions, functions.GetDimensions(tensor, shape, rank));
      return Array.from(shape, Number);
    });
  }

  inputType(name: string): InputType {
    const { functions } = this.#ort;
    const index = this.inputs.indexOf(name);
    if (index < 0) throw appError("pack-damaged", `A graph of the model pack has no input ${name}.`);
    const type = this.#withTensorInfo(index, (tensor) =>
      takeNumber(functions, (out) => functions.GetTensorElementType(tensor, out)),
    );
    return inputTypes[type] ?? "other";
  }

  #withTensorInfo<Value>(input: number, use: (tensor: Handle) => Value): Value {
    const { functions } = this.#ort;
    const info = take(functions, (out) => functions.SessionGetInputTypeInfo(this.handle, input, out));
    try {
      return use(take(functions, (out) => functions.CastTypeInfoToTensorInfo(info, out)));
    } finally {
      functions.ReleaseTypeInfo(info);
    }
  }

  /** Of the keys and values that a decoder takes, which is what lies on devices: float32, or float16. */
  #cacheType(): number {
    const float32 = 1;
    const past = this.inputs.findIndex((name) => name.startsWith("past_"));
    if (past < 0) return float32;
    const { functions } = this.#ort;
    return this.#withTensorInfo(past, (tensor) =>
      takeNumber(functions, (out) => functions.GetTensorElementType(tensor, out)),
    );
  }

  bind(): Binding {
    return new Binding(this, this.#ort);
  }

  /**
   * Runs on a worker thread; the abort of `signal` stops native code between two nodes of the graph.
   * @throws cancelled, model-failed, out-of-memory
   */
  run(binding: Binding, signal: AbortSignal): Promise<void> {
    const work = this.#queue.then(() => this.#runNow(binding, signal));
    this.#queue = work.catch(() => undefined);
    return work;
  }

  /** Waits for the run in progress. */
  async dispose(): Promise<void> {
    await this.#queue;
    if (this.#handle === null) return;
    this.device?.dispose();
    this.#ort.functions.ReleaseSession(this.#handle);
    this.#handle = null;
    giveBackFreedMemory();
  }

  async #runNow(binding: Binding, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const { functions } = this.#ort;
    const options = take(functions, (out) => functions.CreateRunOptions(out));
    const terminate = () => check(functions, functions.RunOptionsSetTerminate(options));
    signal.addEventListener("abort", terminate, { once: true });
    try {
      const status = await callAsync(functions.RunWithBinding, [this.handle, options, binding.handle]);
      check(functions, status);
    } finally {
      signal.removeEventListener("abort", terminate);
      functions.ReleaseRunOptions(options);
    }
    throwIfAborted(signal);
  }
}

/** Inputs and outputs of a session by name. A bound tensor stays referenced until another takes its name. */
export class Binding implements GraphBinding {
  readonly #ort: OrtEnvironment;
  readonly #session: Session;
  readonly #inputs = new Map<string, Tensor | DeviceTensor>();
  readonly #outputs = new Map<string, Tensor | DeviceTensor>();
  #handle: Handle | null;

  constructor(session: Session, ort: OrtEnvironment) {
    this.#ort = ort;
    this.#session = session;
    this.#handle = take(ort.functions, (out) => ort.functions.CreateIoBinding(session.handle, out));
  }

  get handle(): Handle {
    if (this.#handle === null) throw appError("model-failed", "A binding was used after its end.");
    return this.#handle;
  }

  input(name: string, tensor: Tensor | DeviceTensor): void {
    const { functions } = this.#ort;
    check(functions, functions.BindInput(this.handle, name, tensor.handle));
    this.#inputs.set(name, tensor);
  }

  /** The graph writes into the tensor's memory; its shape must be the one the graph computes. */
  output(name: string, tensor: Tensor | DeviceTensor): void {
    const { functions } = this.#ort;
    check(functions, functions.BindOutput(this.handle, name, tensor.handle));
    this.#outputs.set(name, tensor);
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#session.run(this, signal);
  }

  /** Only after every `run` has settled. The tensors are the caller's. */
  dispose(): void {
    if (this.#handle === null) return;
    this.#ort.functions.ReleaseIoBinding(this.#handle);
    this.#handle = null;
    this.#inputs.clear();
    this.#outputs.clear();
  }
}

function sessionOptions(functions: OrtFunctions, source: GraphSource, options: SessionOptions): Handle {
  const native = take(functions, (out) => functions.CreateSessionOptions(out));
  try {
    check(functions, functions.SetSessionLogSeverityLevel(native, fatalOnly));
    check(functions, functions.SetSessionGraphOptimizationLevel(native, allOptimisations));
    check(functions, functions.SetIntraOpNumThreads(native, options.threads));
    const entries = { ...sessionEntries(source), ...numbers, ...options.entries };
    for (const [key, value] of Object.entries(entries)) {
      check(functions, functions.AddSessionConfigEntry(native, key, value));
    }
    if (source.saveTo !== undefined) saveAsItRuns(functions, native, source.saveTo);
    if (options.profile) check(functions, functions.EnableProfiling(native, options.profile));
    if (options.provider) appendProvider(functions, native, options.provider);
    return native;
  } catch (thrown) {
    functions.ReleaseSessionOptions(native);
    throw thrown;
  }
}

function saveAsItRuns(functions: OrtFunctions, native: Handle, folder: string): void {
  check(functions, functions.SetOptimizedModelFilePath(native, path.join(folder, preparedFiles.graph)));
  const entries = {
    "session.optimized_model_external_initializers_file_name": preparedFiles.weights,
    "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
  };
  for (const [key, value] of Object.entries(entries)) {
    check(functions, functions.AddSessionConfigEntry(native, key, value));
  }
}

function appendProvider(functions: OrtFunctions, native: Handle, provider: SessionProvider): void {
  if (provider.name === "CUDA") {
    appendCuda(functions, native);
    return;
  }
  // DirectML needs memory that does not move (its documentation); the others do not care.
  if (provider.name === "DML") check(functions, functions.DisableMemPattern(native));
  const keys = Object.keys(provider.options);
  const values = Object.values(provider.options);
  check(
    functions,
    functions.SessionOptionsAppendExecutionProvider(native, provider.name, keys, values, keys.length),
  );
}

/** CUDA has functions of its own: the general one does not know it. */
function appendCuda(functions: OrtFunctions, native: Handle): void {
  const options = take(functions, (out) => functions.CreateCUDAProviderOptions(out));
  try {
    check(functions, functions.SessionOptionsAppendExecutionProvider_CUDA_V2(native, options));
  } finally {
    functions.ReleaseCUDAProviderOptions(options);
  }
}

function names(ort: OrtEnvironment, session: Handle, side: "Input" | "Output"): string[] {
  const { functions, allocator } = ort;
  const count = takeNumber(functions, (out) => functions[`SessionGet${side}Count`](session, out));
  return Array.from({ length: count }, (_, index) => {
    const address = take(functions, (out) =>
      functions[`SessionGet${side}Name`](session, index, allocator, out),
    );
    const name = textAt(address);
    check(functions, functions.AllocatorFree(allocator, address));
    return name;
  });
}
