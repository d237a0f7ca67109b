import type { SentenceEvidence } from "../../core/evidence.ts";
import type { HeaderFacts } from "../../core/frame.ts";
import type { Calibration } from "./calibration.ts";
import type { GroundingModel, GroundingView } from "./model-access.ts";
import type { ReferenceSet } from "./references.ts";

/** An answer whose sentences are to be tested, and everything the test needs. */
export interface GroundingRequest {
  readonly question: string;
  /** The allowed answers where the caller gave them; else null. */
  readonly choices: readonly string[] | null;
  readonly answer: {
    readonly text: string;
    /** UTF-16 offsets into `text`. */
    readonly sentences: readonly { readonly text: string; readonly start: number; readonly end: number }[];
  };
  /** In the order in which the model got them. */
  readonly views: readonly GroundingView[];
  readonly facts: HeaderFacts;
  readonly model: GroundingModel;
  /** `openReferences` once a loaded pack: it keeps the embeddings. */
  readonly references: ReferenceSet;
  /** The `calibration` block of pack.json; null where the pack has none. */
  readonly calibration: Calibration | null;
  /** The entry of the pack's `intended_for` that the images fit; null: none, or the header leaves it open. */
  readonly kind: string | null;
  /** Above this estimate only reliance is computed; null: no budget (the user pressed the button). */
  readonly budgetSeconds: number | null;
  /** Of the noise in the fills. */
  readonly seed: number;
}

export type GroundingEvent =
  | {
      readonly type: "progress";
      readonly stage: "reliance" | "map" | "region";
      /** 0..1 over the whole of the work that is planned. */
      readonly fraction: number;
      readonly remaining_ms: number;
    }
  | {
      readonly type: "evidence";
      readonly index: number;
      /** Of the sentence against its contradiction or the other answers, 0..1; null until the pack is calibrated. */
      readonly probability: number | null;
      readonly evidence: SentenceEvidence;
    }
  | {
      readonly type: "done";
      /** Re-encoded images that were scored, references included. */
      readonly evaluations: number;
      readonly milliseconds: number;
      /** What one evaluation took here; median. */
      readonly evaluation_ms: number;
      readonly warnings: readonly string[];
    };
