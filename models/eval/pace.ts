import type { EvaluationEvent } from "../../core/evaluation.ts";

/** Progress of a list of cases, with what is left at the pace so far. */
export interface Pace {
  step(text: string): EvaluationEvent;
}

export function pace(total: number): Pace {
  const started = performance.now();
  let done = 0;
  return {
    step(text) {
      done += 1;
      const each = (performance.now() - started) / done;
      return {
        type: "progress",
        text,
        fraction: total === 0 ? 1 : Math.min(1, done / total),
        remaining_ms: Math.round(each * Math.max(0, total - done)),
      };
    },
  };
}
