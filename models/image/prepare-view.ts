import { appError } from "../../core/errors.ts";
import type { PixelFrame } from "../../core/frame.ts";
import { renderFrame } from "../../core/render-frame.ts";
import type { Rectangle, View } from "../../core/view.ts";
import type { ModelInput } from "../api.ts";
import { type InputSize, placeContent, turnedSize, type ViewGeometry, wholePixelCrop } from "./mapping.ts";
import { cropPicture, type Picture, toGray, turnPicture } from "./picture.ts";
import { type Interpolation, resizePicture } from "./resize.ts";

/** The `image` block of pack.json. */
export interface ImageSpec extends InputSize {
  /** Grey level or colour of the padding. */
  readonly pad_value: number | readonly [number, number, number];
  /** Default "bilinear-antialias". */
  readonly interpolation?: Interpolation;
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
  const sideways = view.turn.rotate === 90 || view.turn.rotate === 270;
  const content = placeContent(turnedSize(crop, view.turn), spec, sideways ? 1 / frame.aspect : frame.aspect);
  return {
    input: fillInput(picture, content, spec),
    geometry: { frame: size, crop, turn: view.turn, content },
  };
}

/** A picture as model input: resized to where it lies in it, cut or padded to its size. */
export function fillInput(picture: Picture, content: Rectangle, spec: ImageSpec): ModelInput {
  const colours = spec.channels === "rgb" ? picture : toGray(picture);
  if (spec.resize === "square") return fillSquare(colours, content, spec);
  const resized = resizePicture(colours, content, spec.interpolation);
  if (spec.resize !== "crop") return padPicture(resized, content, spec);
  const { width, height } = spec;
  return cropPicture(resized, { x: -content.x, y: -content.y, width, height });
}

/** Padding first, then one resizing of both, as LLaVA has it: the edges blend. */
function fillSquare(picture: Picture, content: Rectangle, spec: ImageSpec): ModelInput {
  const height = Math.round((content.height * picture.width) / content.width);
  const upright =
    height === picture.height ? picture : resizePicture(picture, { width: picture.width, height });
  const side = Math.max(upright.width, height);
  const at = { x: Math.floor((side - upright.width) / 2), y: Math.floor((side - height) / 2) };
  const square = padPicture(upright, at, { ...spec, width: side, height: side });
  return resizePicture(square, spec, spec.interpolation);
}

/** A picture at its place in a model input, with the pack's grey or colour around it. */
function padPicture(picture: Picture, at: { x: number; y: number }, spec: ImageSpec): ModelInput {
  const { width, height, pad_value: pad } = spec;
  const inside = typeof pad === "number" || picture.channels === 3 ? picture : toColour(picture);
  const { channels } = inside;
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = typeof pad === "number" ? pad : pad[i % 3]!;
  for (let row = 0; row < inside.height; row += 1) {
    const line = inside.pixels.subarray(row * inside.width * channels, (row + 1) * inside.width * channels);
    pixels.set(line, ((at.y + row) * width + at.x) * channels);
  }
  return { width, height, channels, pixels };
}

function toColour({ width, height, pixels }: Picture): Picture {
  const colours = new Uint8Array(pixels.length * 3);
  for (let i = 0; i < colours.length; i += 1) colours[i] = pixels[Math.floor(i / 3)]!;
  return { width, height, channels: 3, pixels: colours };
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
