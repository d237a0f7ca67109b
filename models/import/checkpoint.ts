import type { DecoderConfig } from "./decoder-config.ts";
import type { TensorSource } from "./tensor-source.ts";

/** A language model to import, the same for every source format: HF's names, row order and tokenizer files. */
export interface Checkpoint {
  readonly config: DecoderConfig;
  readonly tensors: TensorSource;
  /** Contents of tokenizer.json and tokenizer_config.json (with `chat_template`). */
  readonly tokenizer: { readonly json: object; readonly config: object };
  readonly stopTokens: readonly string[];
  /** As the checkpoint states it; "not stated" else. */
  readonly licence: string;
  close(): Promise<void>;
}
