import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Automaton } from "../../../models/decode/grammar/automaton.ts";
import { Expressions } from "../../../models/decode/grammar/expression.ts";
import { jsonTexts } from "../../../models/decode/grammar/json-schema.ts";
import { TokenFilter } from "../../../models/decode/grammar/token-filter.ts";
import { seededRandom } from "../../../models/decode/random.ts";
import { greedy } from "../../../models/decode/sampler.ts";
import { TokenTrie } from "../../../models/text/token-trie.ts";
import { TextTokenizer } from "../../../models/text/tokenizer.ts";

/**
 * node scripts/run-ts.mjs test/bench/models/filter.ts
 *
 * What holding an answer to a schema costs a token, with the embedded pack's vocabulary and with one of 131,072 tokens
 * (the same, and pairs of them). The strings have a limit, so that no two tokens are filtered in the same state: the
 * worst case. One JSON object on stdout.
 */
const folder = fileURLToPath(new URL("../../../models/packs/smollm2-135m-instruct", import.meta.url));
const read = async (name: string) => JSON.parse(await readFile(path.join(folder, name), "utf8")) as object;
const { bytes } = new TextTokenizer(await read("tokenizer.json"), await read("tokenizer_config.json")).trie;
const random = seededRandom(1);
const any = () => bytes[Math.floor(random() * bytes.length)] ?? new Uint8Array(0);
const larger = [
  ...bytes,
  ...Array.from({ length: 131_072 - bytes.length }, () => Buffer.concat([any(), any()])),
];
const schema = {
  type: "object",
  properties: {
    finding: { type: "string", maxLength: 400 },
    marks: { type: "array", items: { type: "string", maxLength: 40 }, maxItems: 20 },
  },
  required: ["finding", "marks"],
};

function costs(vocabulary: readonly (Uint8Array | null)[]) {
  const building = performance.now();
  const trie = new TokenTrie(vocabulary);
  const build_ms = performance.now() - building;
  const make = new Expressions();
  const filter = new TokenFilter(new Automaton(make, jsonTexts(make, schema)), trie, new Set());
  const times: number[] = [];
  for (let left = 300; !filter.hasEnded && left > 0; left -= 1) {
    const logits = Float32Array.from({ length: vocabulary.length }, random);
    const started = performance.now();
    const id = greedy(filter.filter(logits, left));
    filter.push(id);
    times.push(performance.now() - started);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => Number(sorted[Math.floor(sorted.length * share)]!.toFixed(2));
  return {
    vocabulary: vocabulary.length,
    nodes: trie.byte.length,
    build_ms: Math.round(build_ms),
    tokens: times.length,
    first_ms: Number(times[0]!.toFixed(2)),
    median_ms: at(0.5),
    ninth_tenth_ms: at(0.9),
  };
}

console.log(JSON.stringify([costs(bytes), costs(larger)], null, 2));
