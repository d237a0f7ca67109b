import type { PackSummary } from "../core/model-pack.ts";
import type { Calibration } from "./evidence/calibration.ts";
import type { ReferenceSet } from "./evidence/references.ts";
import type { ImageEncoder } from "./image/image-encoder.ts";
import type { ImageSpec } from "./image/prepare-view.ts";
import type { PackPrompt } from "./pack/pack-schema.ts";
import type { LanguageModel } from "./runtime/backend.ts";
import type { ReaderPool } from "./runtime/reader-pool.ts";
import type { ChatTemplate } from "./text/chat-template.ts";
import type { TextTokenizer } from "./text/tokenizer.ts";

/** A pack that is ready to answer. */
export interface LoadedPack {
  readonly summary: PackSummary;
  readonly folder: string;
  /** The provider it runs on, e.g. "cpu". */
  readonly provider: string;
  /** How often a part of it has left a graphics card: what it computes is not quite the same after that. */
  readonly moves: number;
  /** What every answer must say of how the pack runs here; it grows where the pack has to leave a graphics card. */
  readonly notes: readonly string[];
  readonly language: LanguageModel;
  readonly readers: ReaderPool;
  readonly encoder: ImageEncoder;
  readonly image: ImageSpec;
  readonly imageToken: string;
  /** Absent: as docs/formats/pack.md has it. */
  readonly prompt?: PackPrompt;
  readonly tokenizer: TextTokenizer;
  readonly template: ChatTemplate;
  /** Tokens that end a turn. */
  readonly stopIds: ReadonlySet<number>;
  readonly references: ReferenceSet;
  readonly calibration: Calibration | null;
  dispose(): Promise<void>;
}
