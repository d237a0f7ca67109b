import type { Checkpoint } from "./checkpoint.ts";
import { rowCount, type TensorSource } from "./tensor-source.ts";

export interface CountedReads {
  /** The checkpoint, whose reads are counted. */
  readonly counted: Checkpoint;
  /** Fractions of the rows read, until `work` ends one way or the other. */
  readonly progress: (work: Promise<void>) => AsyncGenerator<number, void, void>;
}

export function countReads(checkpoint: Checkpoint): CountedReads {
  const { vision } = checkpoint;
  let total = 0;
  let done = 0;
  let wake: () => void = () => undefined;
  const count = (source: TensorSource): TensorSource => {
    for (const info of source.tensors.values()) total += rowCount(info);
    return {
      ...source,
      async readRows(name, rows) {
        const values = await source.readRows(name, rows);
        done += rows.count;
        wake();
        return values;
      },
    };
  };
  const counted: Checkpoint = {
    ...checkpoint,
    tensors: count(checkpoint.tensors),
    vision: vision === null ? null : { ...vision, tensors: count(vision.tensors) },
  };
  async function* progress(work: Promise<void>): AsyncGenerator<number, void, void> {
    const state = { ended: false };
    const end = () => {
      state.ended = true;
      wake();
    };
    work.then(end, end);
    for (let told = -1; !state.ended;) {
      if (done === told) await new Promise<void>((resolve) => (wake = resolve));
      told = done;
      yield Math.min(done / total, 1);
    }
  }
  return { counted, progress };
}
