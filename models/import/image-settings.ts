import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import type { PackImage } from "../pack/pack-contents.ts";

const sizeSchema = v.union([
  v.number(),
  v.object({
    shortest_edge: v.optional(v.nullable(v.number())),
    longest_edge: v.optional(v.nullable(v.number())),
    height: v.optional(v.nullable(v.number())),
    width: v.optional(v.nullable(v.number())),
  }),
]);
const threeSchema = v.tuple([v.number(), v.number(), v.number()]);

/** preprocessor_config.json, as transformers' image processors write it. */
const settingsSchema = v.object({
  do_resize: v.optional(v.nullable(v.boolean())),
  size: v.optional(v.nullable(sizeSchema)),
  /** Pillow's number of the filter: 2 bilinear, 3 bicubic. */
  resample: v.optional(v.nullable(v.number())),
  do_center_crop: v.optional(v.nullable(v.boolean())),
  crop_size: v.optional(v.nullable(sizeSchema)),
  do_rescale: v.optional(v.nullable(v.boolean())),
  rescale_factor: v.optional(v.nullable(v.number())),
  do_normalize: v.optional(v.nullable(v.boolean())),
  image_mean: v.optional(v.nullable(threeSchema)),
  image_std: v.optional(v.nullable(threeSchema)),
  do_pad: v.optional(v.nullable(v.boolean())),
  do_pan_and_scan: v.optional(v.nullable(v.boolean())),
});
type Settings = v.InferOutput<typeof settingsSchema>;

const clipMean: [number, number, number] = [0.48145466, 0.4578275, 0.40821073];
const clipStd: [number, number, number] = [0.26862954, 0.26130258, 0.27577711];

/** transformers' own settings of each family of encoders, where preprocessor_config.json is silent or absent. */
const defaults: Readonly<Record<"clip" | "siglip" | "dinov2", Settings>> = {
  clip: {
    size: { shortest_edge: 224 },
    crop_size: 224,
    do_center_crop: true,
    resample: 3,
    image_mean: clipMean,
    image_std: clipStd,
  },
  siglip: {
    size: { height: 224, width: 224 },
    do_center_crop: false,
    resample: 3,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
  dinov2: {
    size: { shortest_edge: 256 },
    crop_size: 224,
    do_center_crop: true,
    resample: 3,
    image_mean: [0.485, 0.456, 0.406],
    image_std: [0.229, 0.224, 0.225],
  },
};

export interface ImageSettingsInput {
  /** preprocessor_config.json, or null where the checkpoint has none. */
  readonly json: object | null;
  /** The encoder's model_type. */
  readonly encoder: string;
  /** Pixels of the encoder's input where the settings are silent. */
  readonly imageSize: number;
}

/**
 * How an image becomes the encoder's input. What cannot be done exactly as upstream does it is refused.
 * @throws model-file-damaged, architecture-not-supported
 */
export function imageSettings({
  json,
  encoder,
  imageSize,
}: ImageSettingsInput): Omit<PackImage, "tokens" | "grid"> {
  const family = encoder.startsWith("dinov2") ? "dinov2" : encoder.startsWith("siglip") ? "siglip" : "clip";
  const own = json === null ? sizedDefaults(family, imageSize) : defaults[family];
  const parsed = v.safeParse(settingsSchema, { ...own, ...json });
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]) ?? "its top";
    throw appError("model-file-damaged", `preprocessor_config.json has a wrong value at ${at}.`);
  }
  const settings = parsed.output;
  refuseOther(settings);
  return {
    ...placement(settings),
    interpolation: settings.resample === 2 ? "bilinear-antialias" : "bicubic-antialias",
    mean: settings.image_mean ?? [0, 0, 0],
    std: settings.image_std ?? [1, 1, 1],
    channels: "rgb",
  };
}

/** Without preprocessor_config.json: the family's settings at the encoder's own size. */
function sizedDefaults(family: keyof typeof defaults, imageSize: number): Settings {
  const own = defaults[family];
  if (family === "siglip") return { ...own, size: { height: imageSize, width: imageSize } };
  return family === "clip" ? { ...own, size: { shortest_edge: imageSize }, crop_size: imageSize } : own;
}

function refuseOther(settings: Settings): void {
  const factor = settings.rescale_factor ?? 1 / 255;
  const plain =
    settings.do_resize !== false &&
    settings.do_rescale !== false &&
    settings.do_normalize !== false &&
    settings.do_pan_and_scan !== true &&
    Math.abs(factor * 255 - 1) < 1e-6 &&
    (settings.resample === 2 || settings.resample === 3);
  const std = settings.image_std ?? [1, 1, 1];
  if (plain && std.every((value) => value > 0)) return;
  throw appError(
    "architecture-not-supported",
    "The image preparation of this checkpoint cannot be repeated exactly (preprocessor_config.json).",
  );
}

type Placement = Pick<PackImage, "width" | "height" | "resize" | "pad_value" | "short_side">;

function placement(settings: Settings): Placement {
  const size = settings.size ?? 224;
  const crop = settings.do_center_crop === true ? boxOf(settings.crop_size) : null;
  const short = typeof size === "number" ? size : size.shortest_edge;
  if (settings.do_pad === true) return padded(settings, { crop, short: short ?? boxOf(size)?.[0] });
  if (short != null && crop !== null) {
    const [height, width] = crop;
    if (pixels(short) < Math.max(height, width)) throw unusual();
    return { height, width, resize: "crop", short_side: short, pad_value: 0 };
  }
  const box = crop === null ? boxOf(size) : null;
  if (box === null || (typeof size === "object" && size.longest_edge != null)) throw unusual();
  return { height: pixels(box[0]), width: pixels(box[1]), resize: "stretch", short_side: null, pad_value: 0 };
}

/** LLaVA's: a square of the mean colour around the image, then resized; no crop is left to make. */
function padded(
  settings: Settings,
  {
    crop,
    short,
  }: { readonly crop: readonly [number, number] | null; readonly short: number | null | undefined },
): Placement {
  const side = pixels(short ?? 0);
  if (crop !== null && (crop[0] !== side || crop[1] !== side)) throw unusual();
  const colour = (settings.image_mean ?? [0, 0, 0]).map((value) => Math.trunc(value * 255));
  return {
    height: side,
    width: side,
    resize: "square",
    short_side: null,
    pad_value: [colour[0] ?? 0, colour[1] ?? 0, colour[2] ?? 0],
  };
}

function boxOf(size: Settings["size"]): readonly [number, number] | null {
  if (typeof size === "number") return [pixels(size), pixels(size)];
  if (size?.height == null || size.width == null) return null;
  return [pixels(size.height), pixels(size.width)];
}

function pixels(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 8192) return value;
  throw appError("model-file-damaged", "preprocessor_config.json gives an impossible image size.");
}

function unusual(): Error {
  return appError(
    "architecture-not-supported",
    "The image sizes in preprocessor_config.json cannot be repeated exactly.",
  );
}
