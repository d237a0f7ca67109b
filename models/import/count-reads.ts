import type { Checkpoint } from "./checkpoint.ts";
import { rowCount, type TensorSource } from "./tensor-source.ts";

/** Tensors are read and written first; then, where it is to have 8 bits, the cache is measured layer by layer. */
export interface ImportStep {
  readonly stage: "weights" | "cache";
  readonly fraction: number;
}

export interface CountedReads {
  /** The checkpoint, whose reads are counted. */
  readonly counted: Checkpoint;
  readonly cacheMeasured: (fraction: number) => void;
  /** Fractions of the rows read and of the layers measured, until `work` ends one way or the other. */
  readonly progress: (work: Promise<void>) => AsyncGenerator<ImportStep, void, void>;
}

export function countReads(checkpoint: Checkpoint): CountedReads {
  const { vision } = checkpoint;
  let total = 0;
  let done = 0;
  let step: ImportStep = { stage: "weights", fraction: 0 };
  let wake: () => void = () => undefined;
  const reach = (next: ImportStep) => {
    step = next;
    wake();
  };
  const count = (source: TensorSource): TensorSource => {
    for (const info of source.tensors.values()) total += rowCount(info);
    return {
      ...source,
      async readRows(name, rows) {
        const values = await source.readRows(name, rows);
        done += rows.count;
        reach({ stage: "weights", fraction: Math.min(done / total, 1) });
        return values;
      },
    };
  };
  const counted: Checkpoint = {
    ...checkpoint,
    tensors: count(checkpoint.tensors),
    vision: vision === null ? null : { ...vision, tensors: count(vision.tensors) },
  };
  async function* progress(work: Promise<void>): AsyncGenerator<ImportStep, void, void> {
    const state = { ended: false };
    const end = () => {
      state.ended = true;
      wake();
    };
    work.then(end, end);
    for (let told: ImportStep | null = null; ;) {
      if (step === told && !state.ended) await new Promise<void>((resolve) => (wake = resolve));
      if (step === told) return;
      told = step;
      yield step;
    }
  }
  return { counted, cacheMeasured: (fraction) => reach({ stage: "cache", fraction }), progress };
}
