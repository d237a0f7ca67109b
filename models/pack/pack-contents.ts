import type { PackSummary } from "../../core/model-pack.ts";
import type { Calibration } from "../evidence/calibration.ts";
import type { PackLanguage, PackPrompt } from "./pack-schema.ts";
import type { GraphSource } from "../runtime/engine.ts";

/** The `image` block of pack.json: how a view becomes pixels of the model input. */
export interface PackImage {
  /** Pixels of the model input. */
  readonly width: number;
  readonly height: number;
  /** Tokens that one image takes in a prompt, and their grid [rows, columns]. */
  readonly tokens: number;
  readonly grid: readonly [number, number];
  readonly resize: "pad" | "stretch" | "crop" | "square";
  /** With "crop": pixels of the short side before the middle is taken. */
  readonly short_side: number | null;
  readonly interpolation: "bilinear-antialias" | "bicubic-antialias";
  /** A value a channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Grey level or colour around the image, 0..255. */
  readonly pad_value: number | readonly [number, number, number];
  readonly channels: "gray-replicated" | "rgb";
}

/** What the runtime needs of a pack whose files have been checked. Paths are absolute. */
export interface PackContents {
  readonly summary: PackSummary;
  readonly folder: string;
  readonly graphs: {
    readonly embed: GraphSource;
    readonly decoder: GraphSource;
    readonly vision: GraphSource;
  };
  /** Absent: the app's own. */
  readonly layout?: PackLanguage["layout"];
  readonly vocabulary: number;
  readonly image: PackImage;
  /** Stands where an image's tokens go in the text of a prompt; not in the vocabulary. */
  readonly imageToken: string;
  readonly prompt: PackPrompt;
  /** Parsed tokenizer.json and tokenizer_config.json. */
  readonly tokenizer: { readonly json: object; readonly config: object };
  readonly chatTemplate: {
    /** Jinja. */
    readonly source: string;
    /** What the template may name, e.g. `{ bos_token, eos_token }`. */
    readonly tokens: Readonly<Record<string, string>>;
  };
  /** Each ends a turn. */
  readonly stopTokens: readonly string[];
  readonly references: readonly {
    readonly name: string;
    readonly modality: string;
    readonly bodyPart: string;
    /** PNG. */
    readonly file: string;
  }[];
  readonly calibration: Calibration | null;
}
