import * as v from "valibot";
import { appError } from "../../core/errors.ts";

const patterns = v.optional(v.nullable(v.record(v.string(), v.number())));
const absent = v.optional(v.unknown());

/** adapter_config.json of PEFT, as far as it changes what an adapter computes. */
const adapterSchema = v.object({
  peft_type: v.string(),
  r: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_536)),
  lora_alpha: v.number(),
  use_rslora: v.optional(v.nullable(v.boolean())),
  target_modules: v.optional(v.nullable(v.union([v.string(), v.array(v.string())]))),
  rank_pattern: patterns,
  alpha_pattern: patterns,
  bias: v.optional(v.nullable(v.string())),
  init_lora_weights: v.optional(v.nullable(v.union([v.boolean(), v.string()]))),
  modules_to_save: absent,
  use_dora: absent,
  lora_bias: absent,
  layer_replication: absent,
  trainable_token_indices: absent,
  target_parameters: absent,
  use_qalora: absent,
  alora_invocation_tokens: absent,
  arrow_config: absent,
});
export type AdapterSettings = v.InferOutput<typeof adapterSchema>;

/** What an adapter may have that adding two small matrices to a large one cannot stand for. */
const unmerged = {
  modules_to_save: "whole modules of its own",
  use_dora: "DoRA",
  lora_bias: "biases",
  layer_replication: "repeated layers",
  trainable_token_indices: "tokens of its own",
  target_parameters: "parameters outside linear layers",
  use_qalora: "QALoRA",
  alora_invocation_tokens: "tokens that switch it on",
  arrow_config: "several adapters in one",
} as const satisfies Partial<Record<keyof AdapterSettings, string>>;

/** Ways to begin the training that take a part out of the base's weights, which the adapter then counts on. */
const changedBase = /^(pissa|olora|corda|loftq|lora_ga)/i;

/** @throws model-file-damaged, architecture-not-supported (with what cannot be merged) */
export function adapterSettings(json: object): AdapterSettings {
  const parsed = v.safeParse(adapterSchema, json);
  if (!parsed.success) {
    const at = v.getDotPath(parsed.issues[0]);
    throw appError("model-file-damaged", `adapter_config.json has a wrong value at ${at}.`);
  }
  const settings = parsed.output;
  if (settings.peft_type.toUpperCase() !== "LORA")
    throw refused(`it is of the type ${settings.peft_type.slice(0, 50)}; LORA can be merged`);
  for (const [name, what] of Object.entries(unmerged)) {
    if (isGiven(settings[name as keyof typeof unmerged])) throw refused(`it has ${what} (${name})`);
  }
  if ((settings.bias ?? "none") !== "none") throw refused("it has biases (bias)");
  const { init_lora_weights: start } = settings;
  if (typeof start === "string" && changedBase.test(start))
    throw refused(
      `it was trained on changed weights (init_lora_weights ${start.slice(0, 20)}); convert it with PEFT first`,
    );
  for (const pattern of Object.keys({ ...settings.rank_pattern, ...settings.alpha_pattern })) {
    if (!/^\^?[\w.]{1,200}$/.test(pattern))
      throw refused("rank_pattern or alpha_pattern hold expressions; names of modules can be read");
  }
  return settings;
}

/**
 * What the product of an adapter's matrices is multiplied by; `rank` is what its tensors have. PEFT takes alpha ÷ rank,
 * or with rsLoRA alpha ÷ √rank (arXiv 2312.03732). @throws model-file-damaged where the settings give another rank
 */
export function adapterScale(settings: AdapterSettings, module: string, rank: number): number {
  const stated = patternValue(settings.rank_pattern, module) ?? settings.r;
  const alpha = patternValue(settings.alpha_pattern, module) ?? settings.lora_alpha;
  if (stated !== rank)
    throw appError(
      "model-file-damaged",
      `The adapter's matrices for ${module.slice(0, 200)} have another rank.`,
    );
  const scale = alpha / (settings.use_rslora === true ? Math.sqrt(rank) : rank);
  if (!Number.isFinite(scale)) throw appError("model-file-damaged", "The adapter's scale is no number.");
  return scale;
}

/** Whether the settings name this module as one that the adapter changes. */
export function isTarget({ target_modules: targets }: AdapterSettings, module: string): boolean {
  // A text is an expression over names, or "all-linear": the tensors say what it meant.
  if (!Array.isArray(targets)) return true;
  return targets.some((target) => isNamed(target, module));
}

function patternValue(of: AdapterSettings["rank_pattern"], module: string): number | undefined {
  // The first that fits, as PEFT does.
  return Object.entries(of ?? {}).find(([name]) => isNamed(name, module))?.[1];
}

/** A name stands for every module that ends in it, with "^" for the module alone. */
function isNamed(name: string, module: string): boolean {
  if (name.startsWith("^")) return module === name.slice(1);
  return module === name || module.endsWith(`.${name}`);
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function refused(why: string): Error {
  return appError("architecture-not-supported", `The adapter cannot be merged: ${why}.`);
}
