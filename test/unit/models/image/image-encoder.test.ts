import { expect, test } from "vitest";
import type { ModelInput } from "../../../../models/api.ts";
import { ImageEncoder } from "../../../../models/image/image-encoder.ts";
import type { VisionModel } from "../../../../models/runtime/backend.ts";
import { never } from "../tiny-model.ts";

const spec = {
  width: 2,
  height: 1,
  pad_value: 0,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  channels: "gray-replicated",
} as const;

function input(a: number, b: number): ModelInput {
  return { width: 2, height: 1, channels: 1, pixels: new Uint8Array([a, b]) };
}

/** One token of one value: the sum of the first channel. Counts the images it was given. */
function summing(): VisionModel & { seen: number[] } {
  const seen: number[] = [];
  return {
    seen,
    tokens: 1,
    hidden: 1,
    encode: async (pixels, count) => {
      seen.push(count);
      return Float32Array.from({ length: count }, (_, i) => pixels[i * 6]! + pixels[i * 6 + 1]!);
    },
    dispose: async () => undefined,
  };
}

test("the same pixels are encoded once and give the same object", async () => {
  const model = summing();
  const encoder = new ImageEncoder(model, spec);
  const [a, b, again] = await encoder.encode([input(255, 0), input(255, 255), input(255, 0)], never);
  expect([a!.values[0], b!.values[0]]).toEqual([1, 2]);
  expect(again).toBe(a);
  expect((await encoder.encode([input(255, 0)], never))[0]).toBe(a);
  expect(model.seen).toEqual([2]);
});

test("many images are encoded a few at a time and come back in order", async () => {
  const model = summing();
  const encoder = new ImageEncoder(model, spec);
  const inputs = Array.from({ length: 11 }, (_, i) => input(i, 0));
  const found = await encoder.encode(inputs, never);
  expect(found.map(({ values }) => Math.round(values[0]! * 255))).toEqual([...Array(11).keys()]);
  expect(model.seen).toEqual([4, 4, 3]);
});

test("what was encoded before the model was changed is not used again, nor together with what came after", async () => {
  const model = summing();
  const { encode } = model;
  let slant = 0;
  model.encode = async (...given) => (await encode(...given)).map((value) => value + slant);
  const encoder = new ImageEncoder(model, spec);
  const [before] = await encoder.encode([input(0, 0)], never);
  encoder.forget();
  slant = 1;
  const [after] = await encoder.encode([input(0, 0)], never);
  expect([before!.values[0], after!.values[0]]).toEqual([0, 1]);
  // The model is changed while the second of three batches is encoded.
  const inputs = Array.from({ length: 11 }, (_, i) => input(0, i + 1));
  model.encode = async (...given) => {
    const values = await encode(...given);
    if (model.seen.length === 4) {
      encoder.forget();
      slant = 2;
    }
    return values.map((value) => value + slant);
  };
  const found = await encoder.encode(inputs, never);
  expect(found.map(({ values }) => Math.floor(values[0]!))).toEqual(inputs.map(() => 2));
  expect((await encoder.encode([inputs[0]!], never))[0]).toBe(found[0]);
});
