import type { PackImage } from "../pack/pack-contents.ts";
import type { PackPrompt } from "../pack/pack-schema.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { VisionConfig, VisionDesign } from "./encoders/vision-design.ts";
import type { Projector } from "./projector.ts";
import type { TensorSource } from "./tensor-source.ts";

/** A model to import, the same for every source format: HF's names, row order and tokenizer files. */
export interface Checkpoint {
  /** As config.json names the whole model. */
  readonly architecture: string;
  readonly config: DecoderConfig;
  /** A LoRA adapter was merged into the tensors. */
  readonly adapted?: boolean;
  readonly tensors: TensorSource;
  /** Contents of tokenizer.json and tokenizer_config.json (with `chat_template`). */
  readonly tokenizer: { readonly json: object; readonly config: object };
  readonly stopTokens: readonly string[];
  /** As the checkpoint states it; "not stated" else. */
  readonly licence: string;
  /** Null: a language model alone. */
  readonly vision: VisionPart | null;
  close(): Promise<void>;
}

/** Image encoder and projector of a checkpoint, and how an image gets into them and into a prompt. */
export interface VisionPart {
  /** As the card names it, e.g. "clip_vision_model". */
  readonly name: string;
  readonly design: VisionDesign;
  readonly config: VisionConfig;
  readonly projector: Projector;
  /** Under the names that `design` and `projector` use. */
  readonly tensors: TensorSource;
  readonly image: Omit<PackImage, "tokens" | "grid">;
  /** Stands where an image's tokens go in the text that the chat template writes. */
  readonly imageToken: string;
  readonly prompt: PackPrompt;
  /** Images that it takes at a time. */
  readonly maxViews: number;
}
