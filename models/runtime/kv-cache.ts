import type { Cache } from "./backend.ts";
import type { Binding, Session } from "./ort/session.ts";
import { Tensor, zeros } from "./ort/tensor.ts";

export interface CacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** Tokens by which the memory grows. */
const step = 256;

/**
 * Keys and values of one sequence, [1, kvHeads, capacity, headSize] a layer and side. The same tensor is bound as
 * past and as present, so that the graph adds new tokens in place and nothing is copied.
 */
export class KeyValueCache implements Cache {
  readonly #session: Session;
  readonly #shape: CacheShape;
  readonly #binding: Binding;
  #tensors: Tensor<Float32Array>[] = [];
  #capacity = 0;
  #length = 0;
  #idle: Promise<unknown> = Promise.resolve();

  constructor(session: Session, shape: CacheShape) {
    this.#session = session;
    this.#shape = shape;
    this.#binding = session.bind();
  }

  get length(): number {
    return this.#length;
  }

  /** Bound to this cache's memory; the caller binds the other inputs. */
  get binding(): Binding {
    return this.#binding;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, Math.max(0, length));
  }

  /** Makes room for `tokens` more. */
  reserve(tokens: number): void {
    const needed = this.#length + tokens;
    if (needed <= this.#capacity) return;
    const capacity = Math.ceil(needed / step) * step;
    const old = this.#tensors;
    const names = cacheNames(this.#shape.layers);
    const grown: Tensor<Float32Array>[] = [];
    try {
      for (const index of names.keys()) grown.push(this.#grown(old[index], capacity));
    } catch (thrown) {
      for (const tensor of grown) tensor.dispose();
      throw thrown;
    }
    for (const [index, [past, present]] of names.entries()) {
      this.#binding.input(past, grown[index]!);
      this.#binding.output(present, grown[index]!);
    }
    this.#tensors = grown;
    this.#capacity = capacity;
    for (const tensor of old) tensor.dispose();
  }

  /** Runs the graph over `tokens` new tokens and counts them as held once it has succeeded. */
  async run(tokens: number, signal: AbortSignal): Promise<void> {
    const work = this.#session.run(this.#binding, signal);
    this.#idle = work.catch(() => undefined);
    await work;
    this.#length += tokens;
  }

  async dispose(): Promise<void> {
    await this.#idle;
    this.#binding.dispose();
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors = [];
    this.#capacity = 0;
    this.#length = 0;
  }

  #grown(old: Tensor<Float32Array> | undefined, capacity: number): Tensor<Float32Array> {
    const { kvHeads, headSize } = this.#shape;
    const values = zeros(kvHeads * capacity * headSize);
    if (old) {
      for (let head = 0; head < kvHeads; head += 1) {
        const start = head * this.#capacity * headSize;
        const held = old.data.subarray(start, start + this.#length * headSize);
        values.set(held, head * capacity * headSize);
      }
    }
    return new Tensor(values, [1, kvHeads, capacity, headSize]);
  }
}

function cacheNames(layers: number): [past: string, present: string][] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) => [
    [`past_key_${layer}`, `present_key_${layer}`],
    [`past_value_${layer}`, `present_value_${layer}`],
  ]);
}
