import type { VisionDesign } from "./vision-design.ts";

/** CLIP's vision transformer (arXiv 2103.00020): class token, a norm before the first layer. */
export const clipDesign: VisionDesign = {
  patches: "embeddings.patch_embedding",
  patchBias: false,
  classToken: "embeddings.class_embedding",
  positions: "embeddings.position_embedding.weight",
  firstNorm: "pre_layrnorm",
  lastNorm: "post_layernorm",
  layer: clipLayer,
};

export function clipLayer(layer: number): ReturnType<VisionDesign["layer"]> {
  const name = `encoder.layers.${layer}`;
  return {
    norm1: `${name}.layer_norm1`,
    query: `${name}.self_attn.q_proj`,
    key: `${name}.self_attn.k_proj`,
    value: `${name}.self_attn.v_proj`,
    output: `${name}.self_attn.out_proj`,
    scale1: null,
    norm2: `${name}.layer_norm2`,
    up: `${name}.mlp.fc1`,
    down: `${name}.mlp.fc2`,
    scale2: null,
  };
}
