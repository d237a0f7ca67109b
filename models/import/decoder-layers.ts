import { attention, type AttentionSpec } from "./attention-blocks.ts";
import {
  addAndNorm,
  addOnly,
  gatedMlp,
  linear,
  rmsNorm,
  xieluMlp,
  type DecoderScope,
} from "./decoder-blocks.ts";
import type { LayerDesign } from "./decoders/architecture.ts";
import { imageMasks } from "./image-mask.ts";
import { rotaryTables } from "./rotary-tables.ts";

/**
 * All layers of a decoder and its last norm, as `design` says. `hidden` is [batch, seq, hidden]; returns the last norm's
 * output of the same shape.
 */
export async function decoderLayers(
  scope: DecoderScope,
  design: LayerDesign,
  hidden: string,
): Promise<string> {
  const { config } = scope;
  const rotary = rotaryTables(scope.builder, config);
  const masks = config.imagesSeeThemselves ? imageMasks(scope.builder, config.window) : null;
  const { norms } = design;
  let residual = hidden;
  let normed =
    norms.beforeAttention === null
      ? hidden
      : await rmsNorm(scope, {
          name: "layers/0/norm",
          input: hidden,
          source: layerTensor(0, norms.beforeAttention),
        });
  for (let layer = 0; layer < config.layers; layer++) {
    const attended = await after(scope, {
      name: `layers/${layer}/attention_out_norm`,
      input: await attend(scope, design, { layer, input: normed, rotary, masks }),
      source: tensorOrNull(layer, norms.afterAttention),
    });
    const middle = await join(scope, {
      name: `layers/${layer}/mlp_norm`,
      input: attended,
      skip: residual,
      source: tensorOrNull(layer, norms.beforeMlp),
    });
    const down = await after(scope, {
      name: `layers/${layer}/mlp_out_norm`,
      input: await mlp(scope, design, { layer, input: middle.normed }),
      source: tensorOrNull(layer, norms.afterMlp),
    });
    const last = layer + 1 === config.layers;
    const end = await join(scope, {
      name: last ? "norm" : `layers/${layer + 1}/norm`,
      input: down,
      skip: middle.sum,
      source: last ? "model.norm.weight" : tensorOrNull(layer + 1, norms.beforeAttention),
    });
    residual = end.sum;
    normed = end.normed;
  }
  return normed;
}

interface Place {
  readonly layer: number;
  readonly input: string;
}

async function attend(
  scope: DecoderScope,
  design: LayerDesign,
  { layer, input, ...shared }: Place & Pick<AttentionSpec, "rotary" | "masks">,
): Promise<string> {
  const { config } = scope;
  const width = config.heads * config.headSize;
  const packedQkv = await linear(scope, {
    name: `layers/${layer}/qkv`,
    input,
    sources: design.qkv.map((part) => layerTensor(layer, part)),
    rows: width + 2 * config.kvHeads * config.headSize,
    columns: config.hidden,
    bias: config.biases.qkv,
  });
  return linear(scope, {
    name: `layers/${layer}/o`,
    input: await attention(scope, { layer, packedQkv, queryKeyNorm: design.queryKeyNorm, ...shared }),
    sources: [layerTensor(layer, "self_attn.o_proj")],
    rows: config.hidden,
    columns: width,
    bias: config.biases.output,
  });
}

async function mlp(
  scope: DecoderScope,
  { mlp: kind }: LayerDesign,
  { layer, input }: Place,
): Promise<string> {
  const { config } = scope;
  const name = `layers/${layer}/mlp`;
  const inner =
    kind.type === "xielu"
      ? await xieluMlp(scope, {
          name,
          input,
          up: layerTensor(layer, kind.up),
          activation: `model.layers.${layer}.${kind.activation}`,
        })
      : await gatedMlp(scope, {
          name,
          input,
          gateUp: kind.gateUp.map((part) => layerTensor(layer, part)),
          activation: kind.activation,
        });
  return linear(scope, {
    name: `layers/${layer}/down`,
    input: inner,
    sources: [layerTensor(layer, "mlp.down_proj")],
    rows: config.hidden,
    columns: config.intermediate,
    bias: config.biases.mlp,
  });
}

interface MaybeNorm {
  readonly name: string;
  readonly input: string;
  readonly source: string | null;
}

async function after(scope: DecoderScope, { name, input, source }: MaybeNorm): Promise<string> {
  return source === null ? input : rmsNorm(scope, { name, input, source });
}

async function join(
  scope: DecoderScope,
  { name, input, skip, source }: MaybeNorm & { readonly skip: string },
): Promise<{ readonly sum: string; readonly normed: string }> {
  if (source !== null) return addAndNorm(scope, { name, input, skip, source });
  const sum = addOnly(scope, { name, input, skip });
  return { sum, normed: sum };
}

function layerTensor(layer: number, part: string): string {
  return `model.layers.${layer}.${part}.weight`;
}

function tensorOrNull(layer: number, part: string | null): string | null {
  return part === null ? null : layerTensor(layer, part);
}
