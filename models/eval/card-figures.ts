import type { EvaluationKind } from "../../core/evaluation.ts";
import type { Figure } from "../../core/model-pack.ts";
import type { Estimate } from "./statistics.ts";

/** The figures of a report as the pack's card shows them: each with its interval, cases and command. */
export interface MeasuredFigure {
  readonly name: string;
  readonly estimate: Estimate | { readonly value: number; readonly interval: null };
  readonly unit: string;
  readonly cases: number;
  readonly data: string;
}

export function cardFigures(
  kind: EvaluationKind,
  pack: string,
  measured: readonly MeasuredFigure[],
): Figure[] {
  const date = new Date().toISOString().slice(0, 10);
  const command = `meditron eval ${kind} --data DATA --pack ${pack}`;
  return measured
    .filter(({ estimate }) => Number.isFinite(estimate.value))
    .map(({ name, estimate, unit, cases, data }) => ({
      name,
      value: rounded(estimate.value),
      unit,
      interval:
        estimate.interval === null ? null : [rounded(estimate.interval[0]), rounded(estimate.interval[1])],
      cases,
      data,
      command,
      date,
    }));
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
