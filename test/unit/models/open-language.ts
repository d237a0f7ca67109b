import { readFile } from "node:fs/promises";
import path from "node:path";
import type { CacheHeads } from "../../../models/import/int8-cache.ts";
import { parseGraph } from "../../../models/pack/graph-references.ts";
import { checkPack } from "../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../models/runtime/backend.ts";
import type { GraphSource, SessionOptions } from "../../../models/runtime/engine.ts";
import { openCRuntime, type Runtime } from "../../../models/runtime/runtime.ts";
import { TextTokenizer } from "../../../models/text/tokenizer.ts";
import { cpu, never } from "./tiny-model.ts";

export interface OpenedLanguage {
  readonly model: LanguageModel;
  readonly tokenizer: TextTokenizer;
  readonly heads: CacheHeads;
}

export interface LanguageOptions {
  /** Absent: the C interface. */
  readonly runtime?: Runtime;
  /** Another graph in place of the decoder, over the same weights. */
  readonly decoder?: (own: Extract<GraphSource, { type: "bytes" }>) => GraphSource;
  readonly session?: Partial<SessionOptions>;
}

/** The language model of a pack folder, without its image encoder. */
export async function openLanguage(folder: string, options: LanguageOptions = {}): Promise<OpenedLanguage> {
  const check = checkPack(folder, never);
  let step = await check.next();
  while (step.done !== true) step = await check.next();
  const { opened, graphs } = step.value;
  const { language } = opened.pack;
  if (language === null) throw new Error("the pack has no language model of its own");
  if (graphs.decoder.type !== "bytes") throw new Error("the graph is a file");
  const { decoder: change = (own) => own, runtime = await openCRuntime(), session } = options;
  const { vocabulary, context_length: contextLength } = language;
  const model = await runtime.openLanguage(
    { ...graphs, decoder: change(graphs.decoder), vocabulary, contextLength },
    { ...cpu, ...session },
  );
  const read = async (name: string) => JSON.parse(await readFile(path.join(folder, name), "utf8")) as object;
  const tokenizer = new TextTokenizer(await read(language.tokenizer), await read(language.tokenizer_config));
  return { model, tokenizer, heads: headsOf(graphs.decoder.bytes) };
}

function headsOf(decoder: Uint8Array): CacheHeads {
  const { input, initializer } = parseGraph(decoder).graph!;
  const inputs = input.filter(({ name }) => name.startsWith("past_key_"));
  const [first] = inputs;
  if (first?.type?.value.case !== "tensorType") throw new Error("the decoder keeps nothing");
  const sizes = first.type.value.value.shape!.dim.map(({ value }) =>
    value.case === "dimValue" ? Number(value.value) : 0,
  );
  const frequencies = initializer.find(({ name }) => name.endsWith("/frequencies"))!;
  return {
    layers: inputs.length,
    heads: sizes[1]!,
    headSize: sizes[3]!,
    turned: 2 * Number(frequencies.dims[1]),
  };
}
