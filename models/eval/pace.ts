import type { EvaluationEvent } from "../../core/evaluation.ts";

/** Progress of a list of cases, with what is left at the pace so far. */
export interface Pace {
  step(text: string): EvaluationEvent;
}

/** A case that an earlier run kept is read in less than this; its time says nothing of those still to come. */
const keptMs = 20;
/** Cases whose time tells the pace: the later ones of a list are often slower than the first. */
const recent = 20;

export function pace(total: number): Pace {
  const times: number[] = [];
  let last = performance.now();
  let done = 0;
  return {
    step(text) {
      done += 1;
      const now = performance.now();
      if (now - last > keptMs) times.push(now - last);
      if (times.length > recent) times.shift();
      last = now;
      const each = times.length === 0 ? 0 : times.reduce((sum, time) => sum + time, 0) / times.length;
      return {
        type: "progress",
        text,
        fraction: total === 0 ? 1 : Math.min(1, done / total),
        remaining_ms: Math.round(each * Math.max(0, total - done)),
      };
    },
  };
}
