import type { HeaderFacts } from "../../core/frame.ts";
import type { LoadedView } from "../api.ts";
import type { Calibration } from "../evidence/calibration.ts";
import type { GroundingModel, GroundingView } from "../evidence/model-access.ts";
import type { ReferenceSet } from "../evidence/references.ts";

/** A question as evaluations put it: always about one view. */
export interface EvalQuestion {
  readonly question: string;
  readonly choices: readonly string[] | null;
  readonly facts: HeaderFacts;
}

/** What evaluations need of a loaded pack. */
export interface EvalModel {
  readonly pack: { readonly name: string; readonly version: string; readonly digest: string };
  /** The folder whose pack.json "calibrate" writes. */
  readonly folder: string;
  readonly provider: string;
  readonly calibration: Calibration | null;
  readonly references: ReferenceSet;
  /** The entry of the pack's `intended_for` that an image fits; null: none. */
  kindOf(facts: HeaderFacts): string | null;
  /** As the app does while nobody asks. */
  readReferences(signal: AbortSignal): Promise<void>;
  view(loaded: LoadedView): GroundingView;
  /** As the app asks it: with the closed header line and, where there are choices, their line. */
  bind(question: EvalQuestion): GroundingModel;
}
