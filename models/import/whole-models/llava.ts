import * as v from "valibot";
import { appError } from "../../../core/errors.ts";
import { plainPrompt } from "../../pack/pack-schema.ts";
import { knownEncoder } from "../encoders/known-encoders.ts";
import { nestedDecoderConfig } from "../hf-decoder.ts";
import type { Projector } from "../projector.ts";
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

const settingsSchema = v.object({
  vision_feature_layer: v.optional(v.number(), -2),
  vision_feature_select_strategy: v.optional(v.picklist(["default", "full"]), "default"),
  projector_hidden_act: v.optional(v.picklist(["gelu", "gelu_pytorch_tanh"]), "gelu"),
  multimodal_projector_bias: v.optional(v.boolean(), true),
});

/** LLaVA (arXiv 2310.03744): features from before the encoder's last layer, an MLP of two layers. */
export async function readLlava(model: ModelFolder): Promise<ModelParts> {
  const { json, tensors } = model;
  const parsed = v.safeParse(settingsSchema, json);
  if (!parsed.success) {
    throw appError(
      "architecture-not-supported",
      "This variant of LLaVA's image features cannot be imported.",
    );
  }
  const settings = parsed.output;
  const encoderJson = part(json, "vision_config");
  const type = String((encoderJson as { model_type?: unknown }).model_type);
  if (
    settings.vision_feature_layer > -1 ||
    (type.startsWith("siglip") && settings.vision_feature_layer === -1)
  ) {
    throw appError("architecture-not-supported", "This choice of LLaVA's image features cannot be imported.");
  }
  const stated = knownEncoder(encoderJson, {
    layer: settings.vision_feature_layer,
    lastNorm: false,
    keepClassToken: settings.vision_feature_select_strategy === "full",
  });
  const imageToken = tokenOf(model, numberOf(json, ["image_token_index", "image_token_id"])) ?? "<image>";
  const layout = chatLayout(model.tokenizer.config, imageToken, "parts");
  const projector: Projector = {
    type: "mlp",
    layers: ["projector.linear_1", "projector.linear_2"],
    activation: settings.projector_hidden_act === "gelu" ? "gelu" : "gelu-tanh",
    bias: settings.multimodal_projector_bias,
  };
  const { image, encoder } = await imageInput(model, type, stated);
  return {
    architecture: "LlavaForConditionalGeneration",
    config: nestedDecoderConfig(part(json, "text_config"), json, tensors),
    tensors: renamedTensors(tensors, languageName),
    tokenizerConfig: layout.tokenizerConfig,
    vision: {
      name: type,
      design: encoder.design,
      config: encoder.config,
      projector,
      tensors: renamedTensors(tensors, (name) => {
        const inner = visionName(name);
        return inner === null ? projectorName(name) : encoder.canonicalName(inner);
      }),
      image,
      imageToken,
      prompt: { ...plainPrompt, content: layout.content },
      maxViews: 1,
    },
  };
}
