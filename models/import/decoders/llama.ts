import {
  addAndNorm,
  cachedAttention,
  linear,
  rmsNorm,
  rotaryTables,
  siluGate,
  type DecoderScope,
} from "../decoder-blocks.ts";

/**
 * LlamaForCausalLM's layers (Llama 2, SmolLM2, MEDITRON): pre-norm, grouped-query attention with rotary positions,
 * gated MLP, no biases. `hidden` is [batch, seq, hidden]; returns the final norm's output of the same shape.
 */
export async function llamaLayers(scope: DecoderScope, hidden: string): Promise<string> {
  const { config } = scope;
  const rotary = rotaryTables(scope.builder, config);
  const queryWidth = config.heads * config.headSize;
  const kvWidth = config.kvHeads * config.headSize;

  let residual = hidden;
  let normed = await rmsNorm(scope, {
    name: "layers/0/norm",
    input: hidden,
    source: tensor(0, "input_layernorm"),
  });
  for (let layer = 0; layer < config.layers; layer++) {
    const packedQkv = await linear(scope, {
      name: `layers/${layer}/qkv`,
      input: normed,
      sources: ["q", "k", "v"].map((part) => tensor(layer, `self_attn.${part}_proj`)),
      rows: queryWidth + 2 * kvWidth,
      columns: config.hidden,
    });
    const attended = await linear(scope, {
      name: `layers/${layer}/o`,
      input: cachedAttention(scope, { layer, packedQkv, ...rotary }),
      sources: [tensor(layer, "self_attn.o_proj")],
      rows: config.hidden,
      columns: queryWidth,
    });
    const middle = await addAndNorm(scope, {
      name: `layers/${layer}/mlp_norm`,
      input: attended,
      skip: residual,
      source: tensor(layer, "post_attention_layernorm"),
    });
    const down = await linear(scope, {
      name: `layers/${layer}/down`,
      input: await siluGate(scope, {
        name: `layers/${layer}/mlp`,
        input: middle.normed,
        gate: tensor(layer, "mlp.gate_proj"),
        up: tensor(layer, "mlp.up_proj"),
      }),
      sources: [tensor(layer, "mlp.down_proj")],
      rows: config.hidden,
      columns: config.intermediate,
    });
    const last = layer + 1 === config.layers;
    const end = await addAndNorm(scope, {
      name: last ? "norm" : `layers/${layer + 1}/norm`,
      input: down,
      skip: middle.sum,
      source: last ? "model.norm.weight" : tensor(layer + 1, "input_layernorm"),
    });
    residual = end.sum;
    normed = end.normed;
  }
  return normed;
}

function tensor(layer: number, part: string): string {
  return `model.layers.${layer}.${part}.weight`;
}
