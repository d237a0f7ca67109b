import { createRequire } from "node:module";
import { AppError } from "../../../core/errors.ts";
import { damaged } from "./codestream.ts";

/** The common surface of the WebAssembly decoders of the cornerstonejs/codecs project. */
export interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  readHeader?(): void;
  decode(): void;
  getFrameInfo(): {
    width: number;
    height: number;
    bitsPerSample: number;
    componentCount: number;
    isSigned?: boolean;
  };
  getInterleaveMode?(): number;
  delete(): void;
}

type WasmModule = Record<string, new () => WasmDecoder>;

export interface CodecPackage {
  /** Import specifier of the module's loader, and the class inside it. */
  readonly specifier: string;
  readonly className: string;
}

const require = createRequire(import.meta.url);
const modules = new Map<string, Promise<WasmModule>>();

/**
 * Runs one decoder on one codestream. A codec that fails may have left its memory in disorder (an abort does), so
 * the next frame gets a fresh instance of it.
 * @throws pixel-data-damaged
 */
export async function withDecoder<T>(
  codec: CodecPackage,
  octets: Uint8Array,
  use: (decoder: WasmDecoder) => T,
): Promise<T> {
  const module = await load(codec);
  try {
    const Decoder = module[codec.className]!;
    const decoder = new Decoder();
    try {
      decoder.getEncodedBuffer(octets.length).set(octets);
      return use(decoder);
    } finally {
      decoder.delete();
    }
  } catch (thrown) {
    modules.delete(codec.specifier);
    if (thrown instanceof AppError) throw thrown;
    throw damaged(thrown);
  }
}

/** The decoder's output, copied: its memory is used again for the next frame. */
export function copyDecoded(decoder: WasmDecoder, samples: number): Uint8Array | Uint16Array {
  const decoded = decoder.getDecodedBuffer();
  if (decoder.getFrameInfo().bitsPerSample <= 8) {
    if (decoded.length < samples) throw damaged();
    // libjpeg-turbo hands out a Uint8ClampedArray, which is no kind of StoredValues.
    return new Uint8Array(decoded.buffer, decoded.byteOffset, samples).slice();
  }
  if (decoded.length < samples * 2) throw damaged();
  return new Uint16Array(decoded.slice(0, samples * 2).buffer);
}

function load(codec: CodecPackage): Promise<WasmModule> {
  let loaded = modules.get(codec.specifier);
  if (!loaded) {
    // Their loaders are CommonJS and talk to the console; both stay inside this function.
    const factory = require(codec.specifier) as (options: object) => Promise<WasmModule>;
    const silent = () => undefined;
    loaded = factory({ print: silent, printErr: silent });
    modules.set(codec.specifier, loaded);
  }
  return loaded;
}
