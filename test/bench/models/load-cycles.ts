import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { median } from "../../../core/figures.ts";
import { promptFor } from "../../../models/bind-question.ts";
import { generate } from "../../../models/decode/generate.ts";
import { greedy } from "../../../models/decode/sampler.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";

const { signal } = new AbortController();

/**
 * Loads a pack, lets it look at an image and say a few tokens, and unloads it, again and again. Returns the memory of
 * the process after each time, in MiB, without what the garbage collector could have taken.
 */
export async function loadCycles(open: () => Promise<LoadedPack>, cycles: number): Promise<number[]> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const memory: number[] = [];
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const pack = await open();
    try {
      await use(pack);
    } finally {
      await pack.dispose();
    }
    // Buffers of arrays are given back by the collection after the one that finds them.
    collect();
    collect();
    memory.push(process.memoryUsage.rss() / 2 ** 20);
  }
  return memory;
}

async function use(pack: LoadedPack): Promise<void> {
  const { width, height } = pack.image;
  const pixels = new Uint8Array(width * height).fill(90);
  const images = await pack.encoder.encode([{ width, height, channels: 1, pixels }], signal);
  const facts = { modality: null, bodyPart: null, view: null };
  const prompt = promptFor(pack, { question: "What is seen?", choices: null, facts }, images);
  const reader = pack.readers.borrow();
  const request = { prompt, sampler: greedy, stopIds: pack.stopIds, maxTokens: 4, lookup: true };
  for await (const event of generate(reader, request, signal)) if (event.type === "stop") break;
  await pack.readers.giveBack(reader);
}

export interface Growth {
  /** Medians of the second and of the last quarter, MiB: what is made once is made in the first. */
  readonly early: number;
  readonly late: number;
  readonly a_cycle: number;
}

export function growthOf(memory: readonly number[]): Growth {
  const quarter = Math.floor(memory.length / 4);
  const early = median(memory.slice(quarter, 2 * quarter));
  const late = median(memory.slice(-quarter));
  return { early, late, a_cycle: (late - early) / (memory.length - 2 * quarter) };
}
