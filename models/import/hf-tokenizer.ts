import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { readJson, readOptionalJson, readOptionalText } from "./hf-files.ts";

export interface HfTokenizer {
  /** tokenizer.json */
  readonly json: object;
  /** tokenizer_config.json, with `chat_template` where the folder has one. */
  readonly config: object;
  /** Each ends a turn. */
  readonly stopTokens: readonly string[];
}

const addedSchema = v.looseObject({ id: v.number(), content: v.string() });
const tokenizerSchema = v.looseObject({
  added_tokens: v.optional(v.nullable(v.array(addedSchema))),
  model: v.looseObject({ vocab: v.optional(v.unknown()) }),
});
const idsSchema = v.optional(v.nullable(v.union([v.number(), v.array(v.number())])));
const endsSchema = v.looseObject({ eos_token_id: idsSchema });

/** Tokens that end a turn or a text in the models that can be imported, by their well-known names. */
export const wellKnownEnds: ReadonlySet<string> = new Set([
  "<|im_end|>",
  "<|endoftext|>",
  "<|eot_id|>",
  "<|end_of_text|>",
  "</s>",
  "<end_of_turn>",
  "<|end|>",
  "<|assistant_end|>",
]);

/** The tokenizer of a model folder. @throws file-not-found, model-file-damaged */
export async function readHfTokenizer(folder: string): Promise<HfTokenizer> {
  const json = await readJson(folder, "tokenizer.json");
  const config = await readConfig(folder);
  const parsed = v.safeParse(tokenizerSchema, json);
  if (!parsed.success)
    throw appError("model-file-damaged", "tokenizer.json has not the form of a tokenizer.");
  const { added_tokens: added, model } = parsed.output;
  const textOf = tokenTexts(added ?? [], model.vocab);
  const stops = new Set<string>();
  const named = tokenText((config as { eos_token?: unknown }).eos_token);
  if (named !== null) stops.add(named);
  for (const id of await endIds(folder)) {
    const text = textOf(id);
    if (text !== null) stops.add(text);
  }
  for (const { content } of added ?? []) if (wellKnownEnds.has(content)) stops.add(content);
  if (stops.size === 0) throw appError("model-file-damaged", "tokenizer_config.json names no end token.");
  return { json, config, stopTokens: [...stops].filter((text) => text.length <= 200).slice(0, 32) };
}

async function readConfig(folder: string): Promise<object> {
  const config = await readJson(folder, "tokenizer_config.json");
  const own: unknown = (config as { chat_template?: unknown }).chat_template;
  if (typeof own === "string") return config;
  // Several templates by name: the one that is used where none is asked for.
  if (Array.isArray(own)) {
    const first = own.find((one: unknown) => (one as { name?: unknown } | null)?.name === "default") as
      { template?: unknown } | undefined;
    if (typeof first?.template === "string") return { ...config, chat_template: first.template };
  }
  // Newer checkpoints keep the template in a file of its own.
  const file = await readOptionalText(folder, "chat_template.jinja");
  if (file !== null) return { ...config, chat_template: file };
  const old = (await readOptionalJson(folder, "chat_template.json")) as { chat_template?: unknown } | null;
  const { chat_template: _, ...rest } = config as { chat_template?: unknown };
  return typeof old?.chat_template === "string" ? { ...rest, chat_template: old.chat_template } : rest;
}

async function endIds(folder: string): Promise<readonly number[]> {
  const ids: number[] = [];
  for (const name of ["generation_config.json", "config.json"]) {
    const parsed = v.safeParse(endsSchema, await readOptionalJson(folder, name));
    const found = parsed.success ? parsed.output.eos_token_id : null;
    if (typeof found === "number") ids.push(found);
    else ids.push(...(found ?? []));
  }
  return ids;
}

function tokenTexts(
  added: readonly { readonly id: number; readonly content: string }[],
  vocabulary: unknown,
): (id: number) => string | null {
  const texts = new Map(added.map(({ id, content }) => [id, content]));
  return (id) => {
    const text = texts.get(id);
    if (text !== undefined) return text;
    if (typeof vocabulary !== "object" || vocabulary === null || Array.isArray(vocabulary)) return null;
    const entry = Object.entries(vocabulary).find(([, value]) => value === id);
    return entry?.[0] ?? null;
  };
}

/** A special token as tokenizer_config.json writes it: its text, or an object with it. */
export function tokenText(token: unknown): string | null {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}
