import { median } from "../../core/figures.ts";
import type { Foreground } from "./foreground.ts";
import { cellValues, type MeasuredWindow } from "./cell-values.ts";
import {
  cellsIn,
  type CellGrid,
  type CellWindow,
  spreadWindows,
  windowsOf,
  type WindowSize,
} from "./windows.ts";

/**
 * Coarse to fine: overlapping windows over the foreground, then smaller ones where the first mattered, then the
 * cells that mattered (docs/grounding.md, GRD-11). The search is a value that says which windows come next and takes
 * what they gave, so that it can be run on any model and tested without one.
 */
export interface EvidenceSearch {
  readonly grid: CellGrid;
  readonly foreground: Foreground;
  /** `drops[k]`: what each mapped sentence lost without window k. */
  readonly measured: { readonly window: CellWindow; readonly drops: readonly number[] }[];
}

/** Named in pack.json: thresholds hold for the search, and the sentences, that they were measured with. */
export const searchName = "windows-12-v7";

/** How many windows of a size follow the evidence, and how many are spread over the rest as controls. */
const follow = { medium: 9, fine: 9 } as const;
const controls = { medium: 4, fine: 3 } as const;
/** Nats: below this, what the coarse windows took away is noise, and the search stops. */
export const leastDrop = 0.02;

export type SearchStage = WindowSize;
export const searchStages: readonly SearchStage[] = ["coarse", "medium", "fine"];

/** The most evaluations that a search of this image takes, regions not included. */
export function plannedEvaluations(grid: CellGrid): number {
  return windowsOf(grid, "coarse").length + follow.medium + controls.medium + follow.fine + controls.fine;
}

/** The windows of a stage; empty where the search may stop (nothing mattered so far). */
export function nextWindows(search: EvidenceSearch, stage: SearchStage): CellWindow[] {
  const { grid } = search;
  if (stage === "coarse") return windowsOf(grid, "coarse");
  if (!anythingMattered(search)) return [];
  const candidates = windowsOf(grid, stage);
  const promise = windowPromise(search, candidates);
  const ranked = candidates
    .map((window, index) => ({ window, promise: promise[index]! }))
    .toSorted((a, b) => b.promise - a.promise);
  const followed = ranked
    .slice(0, follow[stage])
    .filter((item) => item.promise > 0)
    .map((item) => item.window);
  return [...followed, ...spreadWindows(candidates, followed, controls[stage])];
}

export function anythingMattered({ measured }: EvidenceSearch): boolean {
  return measured.some(({ drops }) => drops.some((drop) => drop > leastDrop));
}

/** Whether the search went on to the cells: a region is tested only where something mattered. */
export function regionSearched({ measured }: EvidenceSearch): boolean {
  return measured.some(({ window }) => window.size !== "coarse");
}

/** What one sentence lost, window by window. */
export function measuredFor({ measured }: EvidenceSearch, sentence: number): MeasuredWindow[] {
  return measured.map(({ window, drops }) => ({ window, nats: drops[sentence]! }));
}

/** nats lost without each cell: measured where the cell itself was replaced, else explained from its windows. */
export function mapValues(search: EvidenceSearch, sentence: number): number[] {
  const measured = measuredFor(search, sentence);
  const values = cellValues(search.grid, measured);
  for (const { window, nats } of measured) {
    if (window.size === "fine") values[cellsIn(search.grid, window)[0]!] = nats;
  }
  return values;
}

/** Of the windows nearest in size to `area` (in cells): the median of what a sentence lost without them. */
export function medianDropNear(search: EvidenceSearch, sentence: number, area: number): number {
  const measured = measuredFor(search, sentence);
  const sizes = [...new Set(measured.map(({ window }) => window.rows * window.columns))];
  const away = (size: number) => Math.abs(Math.log(size / Math.max(area, 1e-6)));
  const nearest = sizes.toSorted((a, b) => away(a) - away(b))[0];
  const drops = measured
    .filter(({ window }) => window.rows * window.columns === nearest)
    .map(({ nats }) => nats);
  return drops.length === 0 ? 0 : median(drops);
}

/** Expected share of a sentence's evidence in each candidate, the largest over the sentences that lost anything. */
function windowPromise(search: EvidenceSearch, candidates: readonly CellWindow[]): number[] {
  const sentences = search.measured[0]?.drops.length ?? 0;
  const promise = candidates.map(() => 0);
  for (let sentence = 0; sentence < sentences; sentence++) {
    const measured = measuredFor(search, sentence);
    if (!measured.some(({ nats }) => nats > leastDrop)) continue;
    const values = cellValues(search.grid, measured);
    const held = candidates.map((window) =>
      cellsIn(search.grid, window).reduce((sum, cell) => sum + values[cell]!, 0),
    );
    const most = Math.max(...held);
    if (!(most > 0)) continue;
    for (const [index, value] of held.entries()) promise[index] = Math.max(promise[index]!, value / most);
  }
  return promise;
}
