import type { BaseConfigs } from "../base-configs.ts";
import type { Checkpoint, VisionPart } from "../checkpoint.ts";
import { encoderFor, type KnownEncoder } from "../encoders/known-encoders.ts";
import { readOptionalJson } from "../hf-files.ts";
import { imageSettings } from "../image-settings.ts";
import type { HfTokenizer } from "../hf-tokenizer.ts";
import type { TensorSource } from "../tensor-source.ts";

/** A folder that holds language model, image encoder and projector together. */
export interface ModelFolder {
  readonly folder: string;
  /** config.json */
  readonly json: object;
  readonly tensors: TensorSource;
  readonly tokenizer: HfTokenizer;
  readonly bases: BaseConfigs;
}

/** What a reader makes of it. */
export interface ModelParts extends Pick<Checkpoint, "architecture" | "config" | "tensors" | "vision"> {
  /** tokenizer_config.json with another chat template; null: as it is. */
  readonly tokenizerConfig: object | null;
}

export type ModelReader = (model: ModelFolder) => Promise<ModelParts>;

/** An object inside config.json, or an empty one. */
export function part(json: object, name: string): object {
  const value: unknown = (json as Readonly<Record<string, unknown>>)[name];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** A number inside config.json by the first of several names. */
export function numberOf(json: object, names: readonly string[]): number | null {
  for (const name of names) {
    const value: unknown = (json as Readonly<Record<string, unknown>>)[name];
    if (typeof value === "number") return value;
  }
  return null;
}

/** The text of a token of the tokenizer. */
export function tokenOf({ tokenizer }: ModelFolder, id: number | null): string | null {
  if (id === null) return null;
  const { added_tokens: added, model } = tokenizer.json as {
    added_tokens?: readonly { id: number; content: string }[];
    model?: { vocab?: unknown };
  };
  const found = added?.find((token) => token.id === id)?.content;
  if (found !== undefined) return found;
  const { vocab } = model ?? {};
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab)) return null;
  return Object.entries(vocab).find(([, value]) => value === id)?.[0] ?? null;
}

/** How an image gets into an encoder of the type that config.json names, and the encoder for images of that size. */
export async function imageInput(
  { folder }: ModelFolder,
  type: string,
  stated: KnownEncoder,
): Promise<{ readonly image: VisionPart["image"]; readonly encoder: KnownEncoder }> {
  const json = await readOptionalJson(folder, "preprocessor_config.json");
  const image = imageSettings({ json, encoder: type, imageSize: stated.config.imageSize });
  return { image, encoder: encoderFor(stated, image) };
}

/** HF's names of language model, encoder and projector inside a whole model, old and new (transformers 4 and 5). */
export function languageName(name: string): string | null {
  const inner = /^(?:model\.)?language_model\.(?:model\.)?(.+)$/.exec(name)?.[1];
  if (inner !== undefined) return inner.startsWith("lm_head.") ? inner : `model.${inner}`;
  return name.startsWith("lm_head.") ? name : null;
}

export function visionName(name: string): string | null {
  return /^(?:model\.)?vision_tower\.(?:vision_model\.)?(.+)$/.exec(name)?.[1] ?? null;
}

export function projectorName(name: string): string | null {
  const inner = /^(?:model\.)?multi_modal_projector\.(.+)$/.exec(name)?.[1];
  return inner === undefined ? null : `projector.${inner}`;
}
