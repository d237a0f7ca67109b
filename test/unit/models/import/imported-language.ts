import { existsSync } from "node:fs";
import { copyFile, cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { importModel, type ImportInput } from "../../../../models/import/import-model.ts";
import type { PackPrecision } from "../../../../models/import/pack-precision.ts";
import { checkPack, type CheckedPack } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import type { PromptReader } from "../../../../models/runtime/prompt-reader.ts";

export const fixtures = fileURLToPath(new URL("../../../fixtures/models", import.meta.url));
export const never = new AbortController().signal;

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), "meditron-import-"));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export async function runImport(input: ImportInput, signal: AbortSignal = never): Promise<string> {
  for await (const event of importModel(input, signal)) if (event.type === "done") break;
  return path.join(input.targetFolder, input.name);
}

/** A copy of a fixture with the tokenizer that all share. */
export async function fixtureSource(name: string, parent: string): Promise<string> {
  const source = path.join(parent, "source");
  await cp(path.join(fixtures, name), source, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    await copyFile(path.join(fixtures, "tiny-llama", file), path.join(source, file));
  }
  return source;
}

/** Imports a whole model of the fixtures, with the tokenizer that all share; its folder also holds what HF computes. */
export async function importWholeModel(
  name: string,
  parent: string,
  precision: PackPrecision = "float32",
): Promise<{ readonly source: string; readonly pack: string }> {
  const source = await fixtureSource(path.join("whole-models", name), parent);
  const bases = path.join(source, "base-configs.json");
  const pack = await runImport({
    source,
    targetFolder: path.join(parent, "packs"),
    name: "whole",
    precision,
    baseConfig: existsSync(bases) ? bases : null,
  });
  return { source, pack };
}

export async function checkedPack(folder: string): Promise<CheckedPack> {
  const check = checkPack(folder, never);
  for (;;) {
    const step = await check.next();
    if (step.done === true) return step.value;
  }
}

export async function openLanguage(folder: string): Promise<OrtLanguageModel> {
  const { opened, graphs } = await checkedPack(folder);
  const { language } = opened.pack;
  if (language === null) throw new Error("no language model");
  return OrtLanguageModel.open(
    { ...graphs, vocabulary: language.vocabulary, contextLength: language.context_length },
    { provider: null, threads: 1 },
  );
}

/** Logits of every token of one sequence, [tokens][vocabulary]. */
export async function logitsOf(model: LanguageModel, ids: readonly number[]): Promise<Float32Array[]> {
  const cache = model.createCache();
  const embeddings = await model.embed(ids, never);
  const flat = await model.forward({ cache, embeddings, rows: ids.map((_, i) => i) }, never);
  await cache.dispose();
  return ids.map((_, i) => flat.subarray(i * model.vocabulary, (i + 1) * model.vocabulary));
}

export function greedy(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] as number) > (logits[best] as number)) best = i;
  return best;
}

/** Largest difference relative to the largest value. */
export function relativeDifference(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < theirs.length; i++) {
    difference = Math.max(difference, Math.abs((ours[i] as number) - (theirs[i] as number)));
    largest = Math.max(largest, Math.abs(theirs[i] as number));
  }
  return difference / largest;
}

/** What HF transformers computes from the same weights (test/fixtures/models/make-decoder-fixtures.py). */
export interface ExpectedLanguage {
  readonly ids: readonly number[];
  /** Positions whose logits are given. */
  readonly rows: readonly number[];
  /** float32, base64 */
  readonly logits: string;
  readonly greedy: readonly number[];
}

export function floats(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Largest relative difference between our logits and the expected ones. */
export async function logitDifference(model: OrtLanguageModel, expected: ExpectedLanguage): Promise<number> {
  const ours = await logitsOf(model, expected.ids);
  const theirs = floats(expected.logits);
  let worst = 0;
  for (const [i, row] of expected.rows.entries()) {
    const wanted = theirs.subarray(i * model.vocabulary, (i + 1) * model.vocabulary);
    worst = Math.max(worst, relativeDifference(ours[row] ?? [], wanted));
  }
  return worst;
}

/** As many greedy tokens as are expected, one step at a time over a cache. */
export async function greedyTokens(model: OrtLanguageModel, expected: ExpectedLanguage): Promise<number[]> {
  const cache = model.createCache();
  const said: number[] = [];
  let next = [...expected.ids];
  while (said.length < expected.greedy.length) {
    const embeddings = await model.embed(next, never);
    const row = await model.forward({ cache, embeddings, rows: [next.length - 1] }, never);
    next = [greedy(row)];
    said.push(next[0] as number);
  }
  await cache.dispose();
  return said;
}

/** Goes on greedily for `count` tokens behind a prompt that was read; `logits` end with its last row. */
export async function sayGreedily(
  reader: PromptReader,
  { logits, vocabulary, count }: { logits: Float32Array; vocabulary: number; count: number },
): Promise<number[]> {
  const said: number[] = [];
  let row = logits.subarray(-vocabulary);
  while (said.length < count) {
    said.push(greedy(row));
    row = await reader.step([said.at(-1) as number], never);
  }
  return said;
}
