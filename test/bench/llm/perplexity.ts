import { readFile } from "node:fs/promises";
import type { Engine } from "./ours.ts";

const windowTokens = 512;
/** The first tokens of a window are context only. */
const skipped = 16;

/** The fixed text that perplexities are measured on: about 20,000 tokens. */
export async function fixedText(): Promise<string> {
  return readFile(new URL("text.txt", import.meta.url), "utf8");
}

/** So many windows of the text, spread over it; 0: as many as it holds. */
export function windowsOf(ids: readonly number[], count: number): number[][] {
  const windows = count > 0 ? count : Math.floor(ids.length / windowTokens);
  return Array.from({ length: windows }, (_, i) => {
    const at = Math.floor(((ids.length - windowTokens) * i) / Math.max(windows - 1, 1));
    return ids.slice(at, at + windowTokens);
  });
}

/** Tokens of a window that count. */
export const scoredTokens = windowTokens - 1 - skipped;

/** Nats over the tokens that count. */
export async function negativeLogLikelihood(engine: Engine, window: readonly number[]): Promise<number> {
  const rows = Array.from({ length: window.length - 1 - skipped }, (_, i) => i + skipped);
  const distributions = await engine.nextTokens(window, rows);
  return rows.reduce((sum, row, i) => sum - (distributions[i]?.[window[row + 1] as number] ?? 0), 0);
}
