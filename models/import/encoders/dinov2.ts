import type { VisionDesign } from "./vision-design.ts";

/** DINOv2's vision transformer (arXiv 2304.07193): each part of a layer is scaled before it is added. */
export const dinov2Design: VisionDesign = {
  patches: "embeddings.patch_embeddings.projection",
  patchBias: true,
  classToken: "embeddings.cls_token",
  positions: "embeddings.position_embeddings",
  firstNorm: null,
  lastNorm: "layernorm",
  layer(layer) {
    const name = `encoder.layer.${layer}`;
    return {
      norm1: `${name}.norm1`,
      query: `${name}.attention.attention.query`,
      key: `${name}.attention.attention.key`,
      value: `${name}.attention.attention.value`,
      output: `${name}.attention.output.dense`,
      scale1: `${name}.layer_scale1.lambda1`,
      norm2: `${name}.norm2`,
      up: `${name}.mlp.fc1`,
      down: `${name}.mlp.fc2`,
      scale2: `${name}.layer_scale2.lambda1`,
    };
  },
};

/** transformers 5 names the attention's tensors as other models do; both stand in checkpoints. */
export function dinov2OldName(name: string): string {
  return name
    .replace(/\.attention\.q_proj\./, ".attention.attention.query.")
    .replace(/\.attention\.k_proj\./, ".attention.attention.key.")
    .replace(/\.attention\.v_proj\./, ".attention.attention.value.")
    .replace(/\.attention\.o_proj\./, ".attention.output.dense.");
}
