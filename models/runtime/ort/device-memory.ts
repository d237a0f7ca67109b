import { appError } from "../../../core/errors.ts";
import { ortEnvironment, take } from "./environment.ts";
import type { Handle } from "./library.ts";

/** An OrtValue whose memory is a device's: graphs read and write it there, this process never sees it. */
export class DeviceTensor {
  #handle: Handle | null;

  constructor(handle: Handle) {
    this.#handle = handle;
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

const deviceAllocator = 0;
const defaultMemory = 0;

/** Memory of the device that a session runs on. */
export class DeviceMemory {
  readonly #info: Handle;
  readonly #allocator: Handle;
  readonly #elementType: number;

  /**
   * `name`: as ONNX Runtime calls the device's memory, e.g. "WebGPU_Buf". `elementType`: of its tensors, an
   * ONNXTensorElementDataType.
   */
  constructor(session: Handle, name: string, elementType: number) {
    this.#elementType = elementType;
    const { functions } = ortEnvironment();
    this.#info = take(functions, (out) =>
      functions.CreateMemoryInfo(name, deviceAllocator, 0, defaultMemory, out),
    );
    try {
      this.#allocator = take(functions, (out) => functions.CreateAllocator(session, this.#info, out));
    } catch (thrown) {
      functions.ReleaseMemoryInfo(this.#info);
      throw thrown;
    }
  }

  /** What it holds at first is not defined. @throws out-of-memory */
  tensor(shape: readonly number[]): DeviceTensor {
    const { functions } = ortEnvironment();
    const dimensions = BigInt64Array.from(shape, (dimension) => BigInt(dimension));
    const create = (out: [Handle | null]) =>
      functions.CreateTensorAsOrtValue(
        this.#allocator,
        dimensions,
        dimensions.length,
        this.#elementType,
        out,
      );
    return new DeviceTensor(take(functions, create));
  }

  /** After every tensor of it, before its session. */
  dispose(): void {
    const { functions } = ortEnvironment();
    functions.ReleaseAllocator(this.#allocator);
    functions.ReleaseMemoryInfo(this.#info);
  }
}
