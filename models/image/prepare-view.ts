import { appError } from "../../core/errors.ts";
import type { PixelFrame } from "../../core/frame.ts";
import { renderFrame } from "../../core/render-frame.ts";
import type { View } from "../../core/view.ts";
import type { ModelInput } from "../api.ts";
import { fitContent, turnedSize, type ViewGeometry, wholePixelCrop } from "./mapping.ts";
import { cropPicture, type Picture, toGray, turnPicture } from "./picture.ts";
import { resizePicture } from "./resize.ts";

/** The `image` block of pack.json. */
export interface ImageSpec {
  readonly width: number;
  readonly height: number;
  /** Grey level of the padding. */
  readonly pad_value: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly channels: "gray-replicated" | "rgb";
}

/** A view as the model gets it, and the way back to the stored frame. */
export interface PreparedView {
  readonly input: ModelInput;
  readonly geometry: ViewGeometry;
}

/** Renders, crops, turns, scales and pads: everything but normalisation. @throws bad-input */
export function prepareView(view: View, frame: PixelFrame, spec: ImageSpec): PreparedView {
  const size = { width: frame.columns, height: frame.rows };
  const { crop: asked } = view;
  if (
    asked &&
    (asked.x >= size.width ||
      asked.y >= size.height ||
      asked.x + asked.width <= 0 ||
      asked.y + asked.height <= 0)
  ) {
    throw appError("bad-input", "The part of the image that the question is about lies outside of it.");
  }
  const crop = wholePixelCrop(asked, size);
  const rendered = renderFrame(frame, { voi: view.voi, invert: view.invert });
  const picture = turnPicture(cropPicture(rendered, crop), view.turn);
  const colours = spec.channels === "rgb" ? picture : toGray(picture);
  const sideways = view.turn.rotate === 90 || view.turn.rotate === 270;
  const content = fitContent(turnedSize(crop, view.turn), spec, sideways ? 1 / frame.aspect : frame.aspect);
  return {
    input: padPicture(resizePicture(colours, content), content, spec),
    geometry: { frame: size, crop, turn: view.turn, content },
  };
}

/** A picture at its place in a model input, with the pack's grey around it. */
export function padPicture(picture: Picture, at: { x: number; y: number }, spec: ImageSpec): ModelInput {
  const { width, height } = spec;
  const { channels } = picture;
  const pixels = new Uint8Array(width * height * channels).fill(spec.pad_value);
  for (let row = 0; row < picture.height; row += 1) {
    const line = picture.pixels.subarray(
      row * picture.width * channels,
      (row + 1) * picture.width * channels,
    );
    pixels.set(line, ((at.y + row) * width + at.x) * channels);
  }
  return { width, height, channels, pixels };
}

/** float32 [inputs, 3, height, width]: value / 255, less the mean, over the standard deviation, a plane a channel. */
export function normalisePixels(inputs: readonly ModelInput[], spec: ImageSpec): Float32Array {
  const plane = spec.width * spec.height;
  const out = new Float32Array(inputs.length * 3 * plane);
  const tables = [0, 1, 2].map((channel) =>
    Float32Array.from(
      { length: 256 },
      (_, value) => (value / 255 - spec.mean[channel]!) / spec.std[channel]!,
    ),
  );
  for (const [index, { pixels, channels, width, height }] of inputs.entries()) {
    if (width !== spec.width || height !== spec.height) {
      throw appError("bad-input", "A model input has another size than the model pack asks for.");
    }
    for (let channel = 0; channel < 3; channel += 1) {
      const table = tables[channel]!;
      const target = (index * 3 + channel) * plane;
      const source = channels === 3 ? channel : 0;
      for (let i = 0; i < plane; i += 1) out[target + i] = table[pixels[i * channels + source]!]!;
    }
  }
  return out;
}
