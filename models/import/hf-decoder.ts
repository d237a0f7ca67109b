import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { checkDecoderConfig, plainDecoder, type DecoderConfig } from "./decoder-config.ts";
import { decoderArchitecture, decoderOfType } from "./decoders/known-decoders.ts";
import { contextOf, hfDecoderSchema, rotaryOf, type HfDecoderSettings } from "./hf-settings.ts";
import type { TensorSource } from "./tensor-source.ts";

/**
 * The decoder that a config.json (or a part of one) describes. `architecture` counts where it names none.
 * @throws model-file-damaged, architecture-not-supported
 */
export function hfDecoderConfig(json: object, architecture?: string): DecoderConfig {
  const names = (json as { architectures?: unknown }).architectures;
  const own: unknown = architecture ?? (Array.isArray(names) ? names[0] : undefined);
  if (typeof own !== "string") throw appError("model-file-damaged", "config.json names no architecture.");
  const known = decoderArchitecture(own);
  const parsed = v.safeParse(hfDecoderSchema, { ...known.defaults, ...json });
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]) ?? "its top";
    throw appError("model-file-damaged", `config.json has a wrong value at ${at}.`);
  }
  const settings = parsed.output;
  refuseUnknown(settings, known.design.mlp);
  const headSize = settings.head_dim ?? settings.hidden_size / settings.num_attention_heads;
  const rotary = rotaryOf(settings, "full_attention");
  const bias = settings.attention_bias === true;
  return checkDecoderConfig({
    ...plainDecoder,
    architecture: own,
    layers: settings.num_hidden_layers,
    hidden: settings.hidden_size,
    intermediate: settings.intermediate_size,
    heads: settings.num_attention_heads,
    kvHeads: settings.num_key_value_heads ?? settings.num_attention_heads,
    headSize,
    vocabulary: settings.vocab_size,
    contextLength: contextOf(settings),
    rotary,
    normEpsilon: settings.rms_norm_eps,
    attentionScale: 1 / Math.sqrt(headSize),
    biases: { qkv: bias, output: bias, mlp: settings.mlp_bias === true },
    tiedEmbedding: settings.tie_word_embeddings ?? false,
    ...known.settings(settings),
  });
}

/**
 * The decoder inside a whole model: `json` may leave out what transformers' defaults say and name its type only. The
 * vocabulary and whether there is a head of its own are read off the tensors, because training may have changed both.
 */
export function nestedDecoderConfig(json: object, outer: object, tensors: TensorSource): DecoderConfig {
  const { architectures, model_type: type } = json as { architectures?: unknown; model_type?: unknown };
  const named =
    Array.isArray(architectures) && typeof architectures[0] === "string" ? architectures[0] : null;
  const architecture = named ?? decoderOfType(String(type)).name;
  const outside = (outer as { tie_word_embeddings?: unknown }).tie_word_embeddings;
  const config = hfDecoderConfig(
    typeof outside === "boolean" ? { tie_word_embeddings: outside, ...json } : json,
    architecture,
  );
  const names = [...tensors.tensors.keys()];
  const head = names.some((name) => name.endsWith("lm_head.weight"));
  const embedding = names.find((name) => name.endsWith("embed_tokens.weight"));
  const rows = embedding === undefined ? undefined : tensors.tensors.get(embedding)?.shape[0];
  return checkDecoderConfig({
    ...config,
    vocabulary: rows ?? config.vocabulary,
    tiedEmbedding: !head,
  });
}

const activations: Readonly<Record<string, string>> = {
  silu: "silu",
  swish: "silu",
  gelu_pytorch_tanh: "gelu-tanh",
  xielu: "xielu",
};

/** What would make another function of the same tensors is refused by name. */
function refuseUnknown(
  settings: HfDecoderSettings,
  mlp: { readonly type: string; readonly activation: string },
): void {
  const name = settings.hidden_activation ?? settings.hidden_act ?? "silu";
  if (activations[name] !== (mlp.type === "xielu" ? "xielu" : mlp.activation)) {
    throw appError(
      "architecture-not-supported",
      `The activation ${name.slice(0, 50)} cannot be imported here.`,
    );
  }
  const both = settings.use_bidirectional_attention;
  if (both !== undefined && both !== null && both !== false) {
    throw appError("architecture-not-supported", "Models whose text sees what follows cannot be imported.");
  }
}
