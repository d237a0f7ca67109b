import { appError } from "../../core/errors.ts";
import type { TextTokenizer } from "../text/tokenizer.ts";
import { Automaton } from "./grammar/automaton.ts";
import { Expressions } from "./grammar/expression.ts";
import { type JsonSchema, jsonTexts } from "./grammar/json-schema.ts";
import { TokenFilter } from "./grammar/token-filter.ts";

export interface StructuredRequest {
  readonly schema: JsonSchema;
  readonly tokenizer: TextTokenizer;
  readonly stopIds: ReadonlySet<number>;
  readonly maxTokens: number;
}

/** @throws not-supported (a keyword that is not known), bad-input */
export function checkSchema(schema: JsonSchema): void {
  if (jsonTexts(new Expressions(), schema).least === Infinity)
    throw appError("bad-input", "No text fits the schema.");
}

/**
 * What holds an answer to a JSON Schema: a text that is said through it is valid JSON of the schema at its end.
 * @throws not-supported, bad-input
 */
export function schemaFilter({ schema, tokenizer, stopIds, maxTokens }: StructuredRequest): TokenFilter {
  const make = new Expressions();
  const texts = jsonTexts(make, schema);
  const language = tokenizer.dropsFirstBlank ? make.sequence(make.optional(make.text(" ")), texts) : texts;
  const filter = new TokenFilter(new Automaton(make, language), tokenizer.trie, stopIds);
  if (filter.least > maxTokens) {
    throw appError(
      "bad-input",
      `The schema needs up to ${filter.least} tokens; the answer may have ${maxTokens}. Allow a longer answer.`,
    );
  }
  return filter;
}
