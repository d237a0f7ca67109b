import type { CachedTokens } from "./backend.ts";
import type { ImageTokens } from "./prompt-reader.ts";

/** What was read of an image, and the text before it: keys and values depend on both. */
interface Kept {
  readonly before: readonly number[];
  readonly cached: CachedTokens;
}

/** About 28 images of the embedded pack: all of its references. */
const keptBytes = 64 * 1024 * 1024;

/**
 * What a language model has read of images that come again with every question, such as a pack's references. They
 * stand before the question, so what is read of them does not depend on it.
 */
export class KeptImages {
  readonly #kept = new Map<ImageTokens, Kept>();
  #bytes = 0;

  get size(): number {
    return this.#kept.size;
  }

  has(image: ImageTokens): boolean {
    return this.#kept.has(image);
  }

  find(image: ImageTokens, before: readonly number[]): CachedTokens | null {
    const kept = this.#kept.get(image);
    if (!kept || !sameIds(kept.before, before)) return null;
    // The least recently used go first.
    this.#kept.delete(image);
    this.#kept.set(image, kept);
    return kept.cached;
  }

  keep(image: ImageTokens, kept: Kept): void {
    this.#forget(image);
    this.#kept.set(image, kept);
    this.#bytes += bytesOf(kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= keptBytes || oldest === image) return;
      this.#forget(oldest);
    }
  }

  #forget(image: ImageTokens): void {
    const kept = this.#kept.get(image);
    if (!kept) return;
    this.#bytes -= bytesOf(kept);
    this.#kept.delete(image);
  }
}

function bytesOf({ cached }: Kept): number {
  return cached.parts.reduce((sum, part) => sum + part.byteLength, 0);
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
