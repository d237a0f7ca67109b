import { groupedBy } from "./grouped-by.ts";
import { seededRandom } from "../evidence/noise.ts";

/** A measured share or difference with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: [low: number, high: number];
}

/** Of values in any order; linear between neighbours. `rank` in 0..1. */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const at = rank * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}

export const bootstrapRounds = 2000;
const bootstrapSeed = 20261122;

/**
 * 95 % interval of a figure by drawing groups (patients, or what stands for them) with replacement. `figure` gets
 * the cases of one draw; a draw for which it is not a number is drawn again.
 */
export function groupBootstrap<Case extends { readonly group: string }>(
  cases: readonly Case[],
  figure: (cases: readonly Case[]) => number,
): Estimate {
  const groups = [...groupedBy(cases, (one) => one.group).values()];
  const random = seededRandom(bootstrapSeed);
  const draws: number[] = [];
  for (let tries = 0; draws.length < bootstrapRounds && tries < 4 * bootstrapRounds; tries++) {
    const drawn = groups.flatMap(() => groups[Math.floor(random() * groups.length)]!);
    const value = figure(drawn);
    if (Number.isFinite(value)) draws.push(value);
  }
  return { value: figure(cases), interval: [percentile(draws, 0.025), percentile(draws, 0.975)] };
}

/** Mean of the shares right among the true and among the false cases; not a number where one kind is missing. */
export function balancedAccuracy(
  cases: readonly { readonly truth: boolean; readonly answer: boolean }[],
): number {
  const right = (truth: boolean) => {
    const kind = cases.filter((one) => one.truth === truth);
    return kind.filter((one) => one.answer === truth).length / kind.length;
  };
  return (right(true) + right(false)) / 2;
}

/** Share of the cases for which `test` holds. */
export function share<Case>(cases: readonly Case[], test: (one: Case) => boolean): number {
  return cases.filter(test).length / cases.length;
}

export interface LogisticFit {
  readonly slope: number;
  readonly offset: number;
}

/**
 * Logistic regression on one figure, both classes weighing the same, with a light ridge: Newton's method on the
 * standardised figure, each step halved until the loss falls.
 */
export function fitLogistic(cases: readonly { readonly x: number; readonly truth: boolean }[]): LogisticFit {
  const mean = cases.reduce((sum, { x }) => sum + x, 0) / Math.max(1, cases.length);
  const spread = Math.sqrt(
    cases.reduce((sum, { x }) => sum + (x - mean) ** 2, 0) / Math.max(1, cases.length),
  );
  const scale = spread > 0 ? spread : 1;
  const positives = cases.filter((one) => one.truth).length;
  const points = cases.map(({ x, truth }) => ({
    z: (x - mean) / scale,
    sign: truth ? 1 : -1,
    weight: 0.5 / Math.max(1, truth ? positives : cases.length - positives),
  }));
  let fit = { slope: 0, offset: 0 };
  for (let step = 0; step < 50; step++) {
    const [bySlope, byOffset] = newtonStep(points, fit);
    const before = logisticLoss(points, fit);
    let reach = 1;
    let next = fit;
    for (; reach > 1e-6; reach /= 2) {
      next = { slope: fit.slope - reach * bySlope, offset: fit.offset - reach * byOffset };
      if (logisticLoss(points, next) < before) break;
    }
    if (!(logisticLoss(points, next) < before - 1e-12)) break;
    fit = next;
  }
  return { slope: fit.slope / scale, offset: fit.offset - (fit.slope * mean) / scale };
}

interface WeightedPoint {
  readonly z: number;
  readonly sign: number;
  readonly weight: number;
}

const ridge = 1e-3;

function logisticLoss(points: readonly WeightedPoint[], { slope, offset }: LogisticFit): number {
  return points.reduce(
    (sum, { z, sign, weight }) => {
      const margin = sign * (slope * z + offset);
      return (
        sum + weight * (margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin)
      );
    },
    (ridge / 2) * slope * slope,
  );
}

/** The inverse of the curvature times the gradient. */
function newtonStep(points: readonly WeightedPoint[], { slope, offset }: LogisticFit): [number, number] {
  let [g0, g1, h00, h01, h11] = [ridge * slope, 0, ridge, 0, 1e-9];
  for (const { z, sign, weight } of points) {
    const p = 1 / (1 + Math.exp(-(slope * z + offset)));
    const error = weight * (p - (sign > 0 ? 1 : 0));
    const bend = weight * p * (1 - p);
    g0 += error * z;
    g1 += error;
    h00 += bend * z * z;
    h01 += bend * z;
    h11 += bend;
  }
  const determinant = Math.max(h00 * h11 - h01 * h01, 1e-15);
  return [(h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant];
}

/** Temperature of log-odds for which their probabilities fit the truth best (golden section on the log loss). */
export function fitTemperature(cases: readonly { readonly x: number; readonly truth: boolean }[]): number {
  const loss = (logTemperature: number) =>
    cases.reduce((sum, { x, truth }) => {
      const z = (truth ? x : -x) / Math.exp(logTemperature);
      return sum + (z > 0 ? Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)) - z);
    }, 0);
  let [low, high] = [Math.log(0.05), Math.log(50)];
  const ratio = (Math.sqrt(5) - 1) / 2;
  while (high - low > 1e-4) {
    const a = high - ratio * (high - low);
    const b = low + ratio * (high - low);
    if (loss(a) < loss(b)) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}
