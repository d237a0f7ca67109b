import { clipLayer } from "./clip.ts";
import type { VisionDesign } from "./vision-design.ts";

/** SigLIP's vision transformer (arXiv 2303.15343): CLIP's layer, no class token. */
export const siglipDesign: VisionDesign = {
  patches: "embeddings.patch_embedding",
  patchBias: true,
  classToken: null,
  positions: "embeddings.position_embedding.weight",
  firstNorm: null,
  lastNorm: "post_layernorm",
  layer: clipLayer,
};
