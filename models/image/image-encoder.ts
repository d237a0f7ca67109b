import { createHash } from "node:crypto";
import type { ModelInput } from "../api.ts";
import type { VisionModel } from "../runtime/backend.ts";
import type { ImageTokens } from "../runtime/prompt-reader.ts";
import { type ImageSpec, normalisePixels } from "./prepare-view.ts";

/** Images encoded in one run: more gain little and need memory. */
const batch = 4;

/** Of embeddings kept for images that come again: the image of a follow-up question, references, fills. */
const keptBytes = 64 * 1024 * 1024;

/**
 * Encodes model inputs. The same pixels give the same object, so that what a language model has read of an image is
 * known again.
 */
export class ImageEncoder {
  readonly #model: VisionModel;
  readonly #spec: ImageSpec;
  readonly #known = new Map<string, ImageTokens>();
  /** How often everything was forgotten. */
  #forgotten = 0;

  constructor(model: VisionModel, spec: ImageSpec) {
    this.#model = model;
    this.#spec = spec;
  }

  /** Tokens that one image takes in a prompt. */
  get tokens(): number {
    return this.#model.tokens;
  }

  /** What was encoded so far is not used again: the model now computes a little differently. */
  forget(): void {
    this.#known.clear();
    this.#forgotten += 1;
  }

  async encode(inputs: readonly ModelInput[], signal: AbortSignal): Promise<ImageTokens[]> {
    for (;;) {
      const before = this.#forgotten;
      const found = await this.#encode(inputs, signal);
      // All images of a call come from the same model.
      if (this.#forgotten !== before) continue;
      for (const [key, image] of found.known) this.#keep(key, image);
      return found.images;
    }
  }

  async #encode(
    inputs: readonly ModelInput[],
    signal: AbortSignal,
  ): Promise<{ readonly images: ImageTokens[]; readonly known: ReadonlyMap<string, ImageTokens> }> {
    const keys = inputs.map(({ pixels }) => createHash("sha256").update(pixels).digest("base64"));
    const found = new Map<string, ImageTokens>();
    for (const key of keys) {
      const image = this.#known.get(key);
      if (image) found.set(key, image);
    }
    const missing = [...new Set(keys)].filter((key) => !found.has(key));
    for (let at = 0; at < missing.length; at += batch) {
      const some = missing.slice(at, at + batch);
      const pixels = normalisePixels(
        some.map((key) => inputs[keys.indexOf(key)]!),
        this.#spec,
      );
      const values = await this.#model.encode(pixels, some.length, signal);
      for (const [index, key] of some.entries()) found.set(key, this.#image(values, index));
    }
    return { images: keys.map((key) => found.get(key)!), known: found };
  }

  #image(values: Float32Array, index: number): ImageTokens {
    const { tokens, hidden } = this.#model;
    return { tokens, hidden, values: values.slice(index * tokens * hidden, (index + 1) * tokens * hidden) };
  }

  /** The least recently used go first. */
  #keep(key: string, image: ImageTokens): void {
    this.#known.delete(key);
    this.#known.set(key, image);
    const limit = Math.max(1, Math.floor(keptBytes / image.values.byteLength));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= limit) return;
      this.#known.delete(oldest);
    }
  }
}
