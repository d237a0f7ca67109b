import { appError } from "../../../core/errors.ts";
import { plainPrompt } from "../../pack/pack-schema.ts";
import { knownEncoder } from "../encoders/known-encoders.ts";
import { nestedDecoderConfig } from "../hf-decoder.ts";
import { renamedTensors } from "../renamed-tensors.ts";
import { chatLayout } from "./chat-layout.ts";
import {
  imageInput,
  languageName,
  numberOf,
  part,
  projectorName,
  tokenOf,
  visionName,
  type ModelFolder,
  type ModelParts,
} from "./model-folder.ts";

/** Gemma 3 with images, MedGemma: SigLIP's last states averaged to a smaller grid; image tokens see each other. */
export async function readGemma3(model: ModelFolder): Promise<ModelParts> {
  const { json, tensors } = model;
  const encoderJson = { model_type: "siglip_vision_model", ...part(json, "vision_config") };
  const stated = knownEncoder(encoderJson, { layer: -1, lastNorm: true, keepClassToken: false });
  const side = Math.sqrt(numberOf(json, ["mm_tokens_per_image"]) ?? 256);
  if (!Number.isInteger(side) || side < 1) {
    throw appError("model-file-damaged", "config.json gives an impossible number of image tokens.");
  }
  const begin = tokenOf(model, numberOf(json, ["boi_token_index", "boi_token_id"])) ?? "<start_of_image>";
  const end = tokenOf(model, numberOf(json, ["eoi_token_index", "eoi_token_id"])) ?? "<end_of_image>";
  const layout = chatLayout(model.tokenizer.config, begin, "parts");
  const { image, encoder } = await imageInput(model, encoderJson.model_type, stated);
  return {
    architecture: "Gemma3ForConditionalGeneration",
    config: {
      ...nestedDecoderConfig({ model_type: "gemma3_text", ...part(json, "text_config") }, json, tensors),
      imagesSeeThemselves: true,
    },
    tensors: renamedTensors(tensors, languageName),
    tokenizerConfig: layout.tokenizerConfig,
    vision: {
      name: encoderJson.model_type,
      design: encoder.design,
      config: encoder.config,
      projector: {
        type: "average-pool",
        side,
        norm: "projector.mm_soft_emb_norm.weight",
        weight: "projector.mm_input_projection_weight",
        normEpsilon: encoder.config.normEpsilon,
      },
      tensors: renamedTensors(tensors, (name) => visionName(name) ?? projectorName(name)),
      image,
      imageToken: begin,
      // The processor writes these around the image's tokens, behind the chat template.
      prompt: {
        ...plainPrompt,
        content: layout.content,
        before_image: `\n\n${begin}`,
        after_image: `${end}\n\n`,
      },
      maxViews: 4,
    },
  };
}
