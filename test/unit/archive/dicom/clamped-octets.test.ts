import { expect, test } from "vitest";
import { copyDecoded, type WasmDecoder } from "../../../../archive/dicom/codecs/wasm-module.ts";

test("what libjpeg-turbo decodes is plain octets, which the frame codec can send", () => {
  const memory = Uint8ClampedArray.from([9, 9, 1, 2, 3, 9]);
  const decoder = {
    getDecodedBuffer: () => memory.subarray(2) as unknown as Uint8Array,
    getFrameInfo: () => ({ width: 3, height: 1, bitsPerSample: 8, componentCount: 1 }),
  } as WasmDecoder;
  const values = copyDecoded(decoder, 3);
  expect(values.constructor).toBe(Uint8Array);
  expect([...values]).toEqual([1, 2, 3]);
  memory.fill(0);
  expect([...values]).toEqual([1, 2, 3]);
});
