import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { importModel, type ImportInput } from "../../../../models/import/import-model.ts";
import { checkPack, type CheckedPack } from "../../../../models/pack/read-pack.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";

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
export async function logitsOf(model: OrtLanguageModel, ids: readonly number[]): Promise<Float32Array[]> {
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
