import type { SentenceState } from "../../core/evidence.ts";
import type { Thresholds } from "./calibration.ts";

/** What was measured for a sentence, as far as its state depends on it. */
export interface Findings {
  /** GRD-2: it states that a finding is absent. */
  readonly absence: boolean;
  /** Of the form that support uses, nats; null where it was not measured. */
  readonly relianceNats: number | null;
  readonly region:
    | { readonly status: "not-searched" }
    /** The search ended early: nothing that was replaced changed the sentence. */
    | { readonly status: "none" }
    | { readonly status: "tested"; readonly effectNats: number; readonly share: number };
}

/** A region over this share of the foreground is the image as a whole (GRD-17). */
export const diffuseShare = 0.4;

/** The rules GRD-16 to GRD-19 of docs/grounding.md, in their order. */
export function decideState(findings: Findings, thresholds: Thresholds | null): SentenceState {
  if (findings.absence) return "absent";
  if (findings.relianceNats === null) return "untested";
  if (thresholds === null) return "uncalibrated";
  if (calibratedReliance(findings.relianceNats, thresholds) < thresholds.reliance.threshold)
    return "unsupported";
  const { region } = findings;
  if (region.status === "not-searched") return "untested";
  // The sentence rests on the image, but on no part that could be named.
  if (region.status === "none" || region.share > diffuseShare) return "diffuse";
  return region.effectNats > thresholds.region.threshold ? "supported" : "diffuse";
}

/** 0..1, by the logistic curve of the pack's calibration. */
export function calibratedReliance(nats: number, { reliance }: Thresholds): number {
  return logistic(reliance.slope * nats + reliance.offset);
}

/** Probability of a sentence against what it was compared with; null for a pack without calibration. */
export function sentenceProbability(standNats: number, thresholds: Thresholds | null): number | null {
  return thresholds === null ? null : logistic(standNats / thresholds.probability.temperature);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
