import { appError } from "../../core/errors.ts";

/**
 * How graphs are run: the part of ONNX Runtime that the models beside this file are written against. There are two
 * ways to it, the library's C interface (`ort/`) and the package's own binding (`binding/`).
 */
export interface Engine {
  /** Tokens of a prompt that one run reads: a run of the binding cannot be stopped once it has begun. */
  readonly chunk: number;
  /** @throws pack-damaged, out-of-memory, provider-not-available, model-failed */
  open(source: GraphSource, options: SessionOptions): Promise<GraphSession>;
  /** Over the array itself: graphs read and write it. @throws bad-input where it is not as long as the shape says. */
  tensor<Data extends TensorData>(data: Data, shape: readonly number[]): GraphTensor<Data>;
}

/**
 * A graph and where its external data lies. `saveTo`: a folder into which it is written as it runs here, with what was
 * computed ahead of its weights (the first way alone).
 */
export type GraphSource = { readonly saveTo?: string } & GraphPlace;

type GraphPlace =
  /** External data lies beside the file. */
  | { readonly type: "file"; readonly path: string }
  /** External data is looked up in `dataFolder`, by paths below it; null where the graph has none. */
  | { readonly type: "bytes"; readonly bytes: Uint8Array; readonly dataFolder: string | null };

export interface SessionOptions {
  /** Null: CPU. */
  readonly provider: SessionProvider | null;
  readonly threads: number;
  /**
   * For a device whose faster kernels gave wrong numbers: prompts are read in short runs, and products are exact
   * (`careful-graph.ts`).
   */
  readonly careful?: boolean;
  /** Further configuration entries of the session, by their names in the library's headers. */
  readonly entries?: Readonly<Record<string, string>>;
  /** Beginning of the path of a file that the time of each kernel is written to when the session ends (the first way alone). */
  readonly profile?: string;
}

/** A provider by the name that SessionOptionsAppendExecutionProvider knows, e.g. "WebGPU". */
export interface SessionProvider {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
  /** What the library calls this provider's memory; null where graphs work on main memory. */
  readonly memory: string | null;
}

/** What the elements of an input are, of the types that the app tells apart. */
export type InputType = "float32" | "float16" | "int8" | "other";

/** A loaded graph. Runs are serialised. */
export interface GraphSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Memory of the device that the graph runs on; null: main memory. */
  readonly device: { tensor(shape: readonly number[]): DeviceTensor } | null;
  /** The declared shape of an input; named dimensions are -1. */
  inputShape(name: string): number[];
  inputType(name: string): InputType;
  bind(): GraphBinding;
  /** @throws cancelled, model-failed, out-of-memory */
  run(binding: GraphBinding, signal: AbortSignal): Promise<void>;
  /** Waits for the run in progress. */
  dispose(): Promise<void>;
}

/** Inputs and outputs of a session by name. A bound tensor stays referenced until another takes its name. */
export interface GraphBinding {
  input(name: string, tensor: GraphTensor | DeviceTensor): void;
  /** The graph writes into the tensor's memory; its shape must be the one the graph computes. */
  output(name: string, tensor: GraphTensor | DeviceTensor): void;
  run(signal: AbortSignal): Promise<void>;
  /** Only after every `run` has settled. The tensors are the caller's. */
  dispose(): void;
}

export type TensorData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

export interface GraphTensor<Data extends TensorData = TensorData> {
  readonly data: Data;
  readonly shape: readonly number[];
  dispose(): void;
}

/** What it holds is never seen by this process. */
export interface DeviceTensor {
  dispose(): void;
}

/**
 * How long a thread waits for its next piece of work before it sleeps. Waking one costs about as much as a small node
 * of a graph; waiting for long takes processor time from other programs (docs/decisions/model-runtime.md).
 */
const spinMicroseconds = "200";

/** What session options have no function of their own for: the same for both ways to the library. */
export function sessionEntries(source: GraphSource): Readonly<Record<string, string>> {
  const folder = source.type === "bytes" ? source.dataFolder : null;
  return {
    "session.intra_op.spin_duration_us": spinMicroseconds,
    // A thread that is done takes from what is left, instead of waiting for the other's half.
    "session.dynamic_block_base": "8",
    // Where external data is looked up.
    ...(folder === null ? {} : { "session.model_external_initializers_file_folder_path": folder }),
  };
}

/** Zeros for a tensor. @throws out-of-memory */
export function zeros(length: number): Float32Array {
  return allocated(() => new Float32Array(length));
}

/** The same of 8-bit numbers. @throws out-of-memory */
export function zeroBytes(length: number): Int8Array {
  return allocated(() => new Int8Array(length));
}

function allocated<Values>(make: () => Values): Values {
  try {
    return make();
  } catch (cause) {
    const message =
      "There is not enough memory for this question. Close other programs or ask about fewer images.";
    throw appError("out-of-memory", message, cause);
  }
}

/** @throws bad-input */
export function assertLength(data: TensorData, shape: readonly number[]): void {
  const length = shape.reduce((product, dimension) => product * dimension, 1);
  if (length !== data.length) {
    throw appError("bad-input", `A tensor of shape [${shape.join(", ")}] needs ${length} values.`);
  }
}
