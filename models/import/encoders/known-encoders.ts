import * as v from "valibot";
import { appError } from "../../../core/errors.ts";
import { clipDesign } from "./clip.ts";
import { dinov2Design, dinov2OldName } from "./dinov2.ts";
import { siglipDesign } from "./siglip.ts";
import type { VisionConfig, VisionDesign } from "./vision-design.ts";

/** A vision encoder as config.json describes it. */
export interface KnownEncoder {
  readonly design: VisionDesign;
  readonly config: VisionConfig;
  /** The name under which `design` knows a tensor. */
  readonly canonicalName: (name: string) => string;
}

interface Family {
  readonly design: VisionDesign;
  /** transformers' own, where config.json leaves a value out. */
  readonly defaults: object;
  readonly canonicalName: (name: string) => string;
}

const same = (name: string) => name;
const clip: Family = {
  design: clipDesign,
  defaults: {
    image_size: 224,
    patch_size: 32,
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    layer_norm_eps: 1e-5,
    hidden_act: "quick_gelu",
  },
  canonicalName: same,
};
const siglip: Family = {
  design: siglipDesign,
  defaults: {
    image_size: 224,
    patch_size: 16,
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    layer_norm_eps: 1e-6,
    hidden_act: "gelu_pytorch_tanh",
  },
  canonicalName: same,
};
const dinov2: Family = {
  design: dinov2Design,
  defaults: {
    image_size: 224,
    patch_size: 16,
    hidden_size: 768,
    mlp_ratio: 4,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    layer_norm_eps: 1e-6,
    hidden_act: "gelu",
  },
  canonicalName: dinov2OldName,
};

/** By `model_type` of config.json. */
const families: ReadonlyMap<string, Family> = new Map([
  ["clip", clip],
  ["clip_vision_model", clip],
  ["siglip", siglip],
  ["siglip_vision_model", siglip],
  ["dinov2", dinov2],
]);

const settingsSchema = v.object({
  model_type: v.string(),
  image_size: v.number(),
  patch_size: v.number(),
  hidden_size: v.number(),
  intermediate_size: v.optional(v.number()),
  mlp_ratio: v.optional(v.number()),
  num_hidden_layers: v.number(),
  num_attention_heads: v.number(),
  num_channels: v.optional(v.number()),
  layer_norm_eps: v.number(),
  hidden_act: v.string(),
  use_swiglu_ffn: v.optional(v.boolean()),
  qkv_bias: v.optional(v.boolean()),
});

const activations: Readonly<Record<string, VisionConfig["activation"]>> = {
  quick_gelu: "quick-gelu",
  gelu: "gelu",
  gelu_pytorch_tanh: "gelu-tanh",
};

/** Which of the encoder's states are the features of an image. */
export interface FeatureChoice {
  /** -1: behind the last layer, -2: before it, and so on. */
  readonly layer: number;
  readonly lastNorm: boolean;
  readonly keepClassToken: boolean;
}

/** @throws architecture-not-supported, model-file-damaged */
export function knownEncoder(json: object, features: FeatureChoice): KnownEncoder {
  const type = String((json as { model_type?: unknown }).model_type);
  // A whole CLIP's config holds the vision encoder's in a part of its own.
  const part = (json as { vision_config?: unknown }).vision_config;
  if (typeof part === "object" && part !== null) return knownEncoder({ model_type: type, ...part }, features);
  const family = families.get(type);
  if (family === undefined) {
    throw appError(
      "architecture-not-supported",
      `Image encoders of the type ${type.slice(0, 50)} cannot be imported. These can: clip, siglip, dinov2.`,
    );
  }
  const parsed = v.safeParse(settingsSchema, { ...family.defaults, ...json });
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]) ?? "its top";
    throw appError("model-file-damaged", `The image encoder's settings have a wrong value at ${at}.`);
  }
  const settings = parsed.output;
  const activation = Object.hasOwn(activations, settings.hidden_act)
    ? activations[settings.hidden_act]
    : undefined;
  if (activation === undefined || settings.use_swiglu_ffn === true || settings.qkv_bias === false) {
    throw appError("architecture-not-supported", "This variant of the image encoder cannot be imported.");
  }
  const layers = settings.num_hidden_layers + 1 + features.layer;
  const config: VisionConfig = {
    imageSize: settings.image_size,
    patchSize: settings.patch_size,
    hidden: settings.hidden_size,
    intermediate: settings.intermediate_size ?? Math.trunc(settings.hidden_size * (settings.mlp_ratio ?? 4)),
    layers,
    heads: settings.num_attention_heads,
    normEpsilon: settings.layer_norm_eps,
    activation,
    lastNorm: features.lastNorm,
    keepClassToken: features.keepClassToken,
  };
  checkVisionConfig(config, settings.num_channels ?? 3);
  return { design: family.design, config, canonicalName: family.canonicalName };
}

function checkVisionConfig(config: VisionConfig, channels: number): void {
  const { imageSize, patchSize, hidden, intermediate, layers, heads, normEpsilon } = config;
  const whole = [imageSize, patchSize, hidden, intermediate, layers, heads].every(
    (value) => Number.isInteger(value) && value >= 1 && value <= 65_536,
  );
  const sound = imageSize <= 8192 && layers <= 512 && imageSize % patchSize === 0 && hidden % heads === 0;
  if (!whole || !sound || channels !== 3 || !(normEpsilon > 0 && normEpsilon < 1)) {
    throw appError("model-file-damaged", "The image encoder's settings contradict each other.");
  }
}

/**
 * The encoder at the size that images come in. Positions of DINOv2 are resized to it, as upstream does; of the others
 * upstream refuses another size. @throws architecture-not-supported
 */
export function encoderFor(
  encoder: KnownEncoder,
  { width, height }: { readonly width: number; readonly height: number },
): KnownEncoder {
  const { imageSize, patchSize } = encoder.config;
  if (width === imageSize && height === imageSize) return encoder;
  if (encoder.design !== dinov2Design || width !== height || width % patchSize !== 0) {
    throw appError(
      "architecture-not-supported",
      "The checkpoint prepares images at another size than its encoder takes.",
    );
  }
  return { ...encoder, config: { ...encoder.config, imageSize: width } };
}
