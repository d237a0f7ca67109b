import type { EvidenceMap, Region, SentenceEvidence } from "../../core/evidence.ts";
import type { Thresholds } from "./calibration.ts";
import { calibratedReliance, decideState, type Findings, sentenceProbability } from "./decide.ts";
import type { Evaluator } from "./evaluator.ts";
import type { GroundingEvent } from "./grounding-request.ts";
import type { MeasuredReliance } from "./reliance.ts";
import type { StandPlan } from "./stand.ts";

/** What is known so far about each sentence of an answer, and the events that tell it. */
export interface Ledger {
  readonly viewEffects: readonly (readonly number[])[];
  /** Whether a region decides the state: not for absence, and not where the sentence does not rely on the image. */
  needsRegion(index: number): boolean;
  setViewEffects(effects: readonly (readonly number[])[]): void;
  setMap(index: number, maps: EvidenceMap[]): void;
  setRegion(index: number, region: Findings["region"], boxes: Region[]): void;
  event(index: number): GroundingEvent;
}

/** A sentence adds little once the earlier ones are given: this share of its reliance alone, or less (GRD-8). */
const followsShare = 0.25;

export function createLedger({
  plan,
  evaluator,
  measured,
  thresholds,
}: {
  plan: StandPlan;
  evaluator: Evaluator;
  measured: MeasuredReliance;
  thresholds: Thresholds | null;
}): Ledger {
  const maps: EvidenceMap[][] = plan.sentences.map(() => []);
  const boxes: Region[][] = plan.sentences.map(() => []);
  const regions: Findings["region"][] = plan.sentences.map(() => ({ status: "not-searched" }));
  let viewEffects: readonly (readonly number[])[] = [];

  const supportReliance = (index: number): number => {
    const { nats, alone_nats } = measured.sentences[index]!.reliance;
    return plan.sentences[index]!.usesAlone ? alone_nats : nats;
  };
  const relied = (nats: number) =>
    thresholds === null || calibratedReliance(nats, thresholds) >= thresholds.reliance.threshold;

  function evidenceOf(index: number): SentenceEvidence {
    const sentence = plan.sentences[index]!;
    const base = evaluator.base[index]!;
    const { reliance, terms } = measured.sentences[index]!;
    const region = regions[index]!;
    const findings = { absence: sentence.absence, relianceNats: supportReliance(index), region };
    const follows =
      index > 0 &&
      reliance.alone_nats > 0 &&
      relied(reliance.alone_nats) &&
      reliance.nats < followsShare * reliance.alone_nats;
    return {
      reliance: {
        ...reliance,
        calibrated: thresholds === null ? null : calibratedReliance(supportReliance(index), thresholds),
        threshold: thresholds === null ? null : thresholds.reliance.threshold,
      },
      stand: { nats: base.given, alone_nats: base.alone },
      terms,
      region_effect: region.status === "tested" ? region.effectNats : null,
      state: decideState(findings, thresholds),
      // A sentence that states absence has no box (GRD-3), and only what was tested is drawn.
      regions: sentence.absence ? [] : boxes[index]!,
      views_effect: viewEffects.map((effects, view) => ({ view, nats: effects[index]! })),
      maps: sentence.absence ? [] : maps[index]!,
      follows_from: follows ? index - 1 : null,
    };
  }

  return {
    get viewEffects() {
      return viewEffects;
    },
    needsRegion: (index) => !plan.sentences[index]!.absence && relied(supportReliance(index)),
    setViewEffects: (effects) => {
      viewEffects = effects;
    },
    setMap: (index, next) => {
      maps[index] = next;
    },
    setRegion: (index, region, next) => {
      regions[index] = region;
      boxes[index] = next;
    },
    event: (index) => ({
      type: "evidence",
      index,
      probability:
        plan.sentences[index]!.form === "content"
          ? null
          : sentenceProbability(evaluator.base[index]!.given, thresholds),
      evidence: evidenceOf(index),
    }),
  };
}
