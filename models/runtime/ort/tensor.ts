import { appError } from "../../../core/errors.ts";
import { assertLength, type GraphTensor, type TensorData } from "../engine.ts";
import { ortEnvironment, take } from "./environment.ts";
import type { Handle } from "./library.ts";

/** ONNXTensorElementDataType. */
function elementTypeOf(data: TensorData): number {
  if (data instanceof Float32Array) return 1;
  if (data instanceof Uint8Array) return 2;
  if (data instanceof Int8Array) return 3;
  if (data instanceof Int32Array) return 6;
  return 7;
}

/**
 * An OrtValue over the memory of a typed array: nothing is copied, in either direction. The object keeps the array
 * referenced for as long as native code may use it; `dispose` ends that.
 */
export class Tensor<Data extends TensorData = TensorData> implements GraphTensor<Data> {
  readonly data: Data;
  readonly shape: readonly number[];
  #handle: Handle | null;

  /** An empty shape is a scalar. @throws bad-input where the array is not as long as the shape says. */
  constructor(data: Data, shape: readonly number[]) {
    assertLength(data, shape);
    const { functions, cpuMemory } = ortEnvironment();
    // Small arrays can live inside V8's heap, where collection moves them; asking for `buffer` moves them out.
    void data.buffer;
    const dimensions = BigInt64Array.from(shape, (dimension) => BigInt(dimension));
    this.data = data;
    this.shape = shape;
    this.#handle = take(functions, (out) =>
      functions.CreateTensorWithDataAsOrtValue(
        cpuMemory,
        data,
        data.byteLength,
        dimensions,
        dimensions.length,
        elementTypeOf(data),
        out,
      ),
    );
  }

  get handle(): Handle {
    if (this.#handle === null) throw appError("model-failed", "A tensor was used after its end.");
    return this.#handle;
  }

  dispose(): void {
    if (this.#handle === null) return;
    ortEnvironment().functions.ReleaseValue(this.#handle);
    this.#handle = null;
  }
}
