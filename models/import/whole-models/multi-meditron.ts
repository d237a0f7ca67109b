import * as v from "valibot";
import { appError } from "../../../core/errors.ts";
import { plainPrompt } from "../../pack/pack-schema.ts";
import { knownEncoder } from "../encoders/known-encoders.ts";
import { nestedDecoderConfig } from "../hf-decoder.ts";
import { imageSettings } from "../image-settings.ts";
import type { Projector } from "../projector.ts";
import { renamedTensors } from "../renamed-tensors.ts";
import type { TensorSource } from "../tensor-source.ts";
import { chatLayout } from "./chat-layout.ts";
import { tokenOf, type ModelFolder, type ModelParts } from "./model-folder.ts";

const modalitySchema = v.looseObject({ model_type: v.string(), clip_name: v.optional(v.string()) });
const settingsSchema = v.object({
  modalities: v.pipe(v.array(modalitySchema), v.minLength(1), v.maxLength(16)),
  llm_path: v.string(),
  attachment_token_idx: v.number(),
  truncation: v.optional(v.nullable(v.boolean())),
  max_sequence_length: v.optional(v.nullable(v.number())),
});

/**
 * MultiMeditron: a language model, a CLIP encoder without its class token, and an MLP. Its config.json names both parts
 * (`llm_path`, `clip_name`) and describes neither.
 */
export async function readMultiMeditron(model: ModelFolder): Promise<ModelParts> {
  const { json, tensors, bases } = model;
  const parsed = v.safeParse(settingsSchema, json);
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]) ?? "its top";
    throw appError("model-file-damaged", `config.json has a wrong value at ${at}.`);
  }
  const settings = parsed.output;
  const clipName = onlyClip(settings.modalities, tensors);
  const language = renamedTensors(tensors, languageName);
  const config = nestedDecoderConfig(bases.find(settings.llm_path), {}, language);
  const encoderJson = bases.find(clipName);
  const encoder = knownEncoder(encoderJson, { layer: -1, lastNorm: false, keepClassToken: false });
  const imageToken = tokenOf(model, settings.attachment_token_idx);
  if (imageToken === null) {
    throw appError("model-file-damaged", "config.json names an attachment token that the tokenizer lacks.");
  }
  const layout = chatLayout(model.tokenizer.config, imageToken, "text");
  const vision = renamedTensors(tensors, (name) => partName(name));
  const limit = settings.truncation === true ? (settings.max_sequence_length ?? Infinity) : Infinity;
  return {
    architecture: `MultiMeditron (${config.architecture})`,
    config: { ...config, contextLength: Math.min(config.contextLength, limit) },
    tensors: language,
    tokenizerConfig: layout.tokenizerConfig,
    vision: {
      name: clipName,
      design: encoder.design,
      config: encoder.config,
      projector: projectorOf(vision),
      tensors: vision,
      image: imageSettings({ json: null, encoder: "clip", imageSize: encoder.config.imageSize }),
      imageToken,
      prompt: {
        ...plainPrompt,
        content: layout.content,
        // Upstream's expansion of the attachment token loses the token before the first image, in training too.
        drops_token_before_first_image: true,
      },
      maxViews: 4,
    },
  };
}

function onlyClip(
  modalities: readonly v.InferOutput<typeof modalitySchema>[],
  tensors: TensorSource,
): string {
  const experts =
    modalities.some(({ model_type: type }) => /moe|expert/i.test(type)) ||
    [...tensors.tensors.keys()].some((name) => /^modalities\.\d+\..*\bexperts?\b/.test(name));
  if (experts) {
    throw appError(
      "architecture-not-supported",
      "Mixture-of-experts modalities cannot be imported: the published MultiMeditron code does not run them, so there " +
        "is nothing to compare an import with.",
    );
  }
  const [first] = modalities;
  if (modalities.length > 1 || first === undefined || first.clip_name === undefined) {
    throw appError(
      "architecture-not-supported",
      "Of MultiMeditron's modalities one CLIP encoder (meditron_clip with clip_name) can be imported.",
    );
  }
  return first.clip_name;
}

function languageName(name: string): string | null {
  return /^model\.((?:model|lm_head)\..+)$/.exec(name)?.[1] ?? null;
}

/** Both published layouts: with `projector.` and `modality.` and without. A whole CLIP's text half is left out. */
function partName(name: string): string | null {
  const projection = /^modalities\.0\.(?:projector\.)?projection\.(\d+\.(?:weight|bias))$/.exec(name)?.[1];
  if (projection !== undefined) return `projection.${projection}`;
  const inner = /^modalities\.0\.(?:modality\.)?feature_extractor\.(?:vision_model\.)?(.+)$/.exec(name)?.[1];
  return inner === undefined || /^(?:text_model|text_projection|visual_projection|logit_scale)/.test(inner)
    ? null
    : inner;
}

/** An MLP of any depth: the linear layers stand at the even places between the activations. */
function projectorOf({ tensors }: TensorSource): Projector {
  const places = [...tensors.keys()]
    .flatMap((name) => /^projection\.(\d+)\.weight$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
  if (places.length === 0 || places.some((place, index) => place !== index * 2)) {
    throw appError("model-file-damaged", "The model's projector is not a row of linear layers.");
  }
  return {
    type: "mlp",
    layers: places.map((place) => `projection.${place}`),
    activation: "gelu",
    bias: true,
  };
}
