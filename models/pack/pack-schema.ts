import * as v from "valibot";
import { intendedInputSchema, packCardSchema } from "../../core/model-pack.ts";
import { calibrationSchema } from "../evidence/calibration.ts";

/** pack.json, version 1; docs/formats/pack.md says what each field is for. */

/** Names that mean the same on every file system: no parent folder, no drive, no device, no blank at the end. */
const plainName = /^[a-z0-9_][a-z0-9_.+-]{0,99}$/i;
const deviceName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

function isPlainName(name: string): boolean {
  return plainName.test(name) && !name.endsWith(".") && !deviceName.test(name);
}

const nameSchema = v.pipe(v.string(), v.check(isPlainName, "not a plain name"));
const pathSchema = v.pipe(
  v.string(),
  v.check((path) => path.split("/").length <= 4 && path.split("/").every(isPlainName), "not a plain path"),
);
const digestSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const countSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const sizeSchema = v.pipe(countSchema, v.minValue(1));
const textSchema = v.pipe(v.string(), v.maxLength(200));

export const packFileSchema = v.object({ path: pathSchema, bytes: countSchema, sha256: digestSchema });
export type PackFile = v.InferOutput<typeof packFileSchema>;

const languageSchema = v.object({
  vocabulary: sizeSchema,
  hidden: sizeSchema,
  layers: sizeSchema,
  /** Tokens. */
  context_length: sizeSchema,
  embed: pathSchema,
  decoder: pathSchema,
  tokenizer: pathSchema,
  tokenizer_config: pathSchema,
  /** Each ends a turn. */
  stop_tokens: v.pipe(v.array(textSchema), v.minLength(1), v.maxLength(32)),
  /** The graphs are an export for transformers.js, used as they are (docs/formats/pack.md); absent: the app's own. */
  layout: v.optional(v.literal("transformers-js")),
});
export type PackLanguage = v.InferOutput<typeof languageSchema>;

const byteSchema = v.pipe(countSchema, v.maxValue(255));
const imageSchema = v.object({
  height: v.pipe(sizeSchema, v.maxValue(8192)),
  width: v.pipe(sizeSchema, v.maxValue(8192)),
  tokens: v.pipe(sizeSchema, v.maxValue(65_536)),
  grid: v.tuple([sizeSchema, sizeSchema]),
  /**
   * "pad": as large as fits, centred, padding around it. "stretch": both sides to their size. "crop": the short side to
   * `short_side`, then the middle. "square": a square of padding around the image, then both resized together.
   */
  resize: v.picklist(["pad", "stretch", "crop", "square"]),
  /** Pixels of the resized image's short side before the middle is taken; null without "crop". */
  short_side: v.optional(v.nullable(v.pipe(sizeSchema, v.maxValue(8192))), null),
  interpolation: v.picklist(["bilinear-antialias", "bicubic-antialias"]),
  mean: v.tuple([v.number(), v.number(), v.number()]),
  std: v.tuple([v.number(), v.number(), v.number()]),
  pad_value: v.union([byteSchema, v.tuple([byteSchema, byteSchema, byteSchema])]),
  channels: v.picklist(["gray-replicated", "rgb"]),
});

/** How a question and its images become a prompt, where that differs from docs/formats/pack.md. */
const promptSchema = v.object({
  /** Text around each image's tokens, put in behind the chat template. */
  before_image: textSchema,
  after_image: textSchema,
  /** "parts": the chat template wants a list of images and text, and writes `image_token` itself. */
  content: v.picklist(["text", "parts"]),
  /** MultiMeditron was trained and runs without the token before the first image. */
  drops_token_before_first_image: v.boolean(),
});
export type PackPrompt = v.InferOutput<typeof promptSchema>;

/** The layout of the embedded pack, and of every pack that says nothing. */
export const plainPrompt: PackPrompt = {
  before_image: "",
  after_image: "",
  content: "text",
  drops_token_before_first_image: false,
};

const commonEntries = {
  schema: v.literal(1),
  name: nameSchema,
  version: textSchema,
  licence: textSchema,
  architecture: textSchema,
  files: v.pipe(v.array(packFileSchema), v.maxLength(4096)),
};

const languagePackSchema = v.object({
  ...commonEntries,
  kind: v.literal("language-model"),
  language: languageSchema,
});
export type LanguagePack = v.InferOutput<typeof languagePackSchema>;

const visionPackSchema = v.object({
  ...commonEntries,
  kind: v.literal("vision-language"),
  /** A sibling folder that holds the language model; null: it is in this pack. */
  base: v.nullable(v.object({ name: nameSchema, path: v.string(), digest: digestSchema })),
  language: v.nullable(languageSchema),
  /** With a base: a decoder graph of this pack (with its adapter) over the base's weights; null: the base's own. */
  decoder: v.nullable(pathSchema),
  vision: pathSchema,
  image: imageSchema,
  image_token: v.pipe(textSchema, v.minLength(1)),
  prompt: v.optional(promptSchema, plainPrompt),
  max_views: v.pipe(sizeSchema, v.maxValue(1024)),
  intended_for: v.array(intendedInputSchema),
  references: v.array(
    v.object({ name: textSchema, modality: textSchema, body_part: textSchema, file: pathSchema }),
  ),
  calibration: v.nullable(calibrationSchema),
  card: packCardSchema,
});
export type VisionPack = v.InferOutput<typeof visionPackSchema>;
export type NewVisionPack = v.InferInput<typeof visionPackSchema>;

export const packSchema = v.pipe(
  v.variant("kind", [languagePackSchema, visionPackSchema]),
  v.check((pack) => {
    const names = pack.files.map((file) => file.path.toLowerCase());
    return new Set(names).size === names.length;
  }, "a file is listed twice"),
  v.check((pack) => {
    if (pack.kind === "language-model") return true;
    if ((pack.base === null) === (pack.language === null)) return false;
    // The only reference out of a pack: a sibling folder by its plain name.
    return pack.base === null ? pack.decoder === null : pack.base.path === `../${pack.base.name}`;
  }, "base and language model contradict each other"),
  v.check(
    (pack) => pack.kind === "language-model" || pack.image.tokens === pack.image.grid[0] * pack.image.grid[1],
    "the image grid does not hold the image tokens",
  ),
  v.check((pack) => {
    if (pack.kind === "language-model") return true;
    const { resize, short_side: short, height, width } = pack.image;
    return (resize === "crop") === (short !== null) && (short === null || short >= Math.max(height, width));
  }, "the image's resizing and its sizes contradict each other"),
);
export type Pack = v.InferOutput<typeof packSchema>;
