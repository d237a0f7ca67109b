import { appError } from "../../core/errors.ts";
import type { Cache, CachedTokens } from "./backend.ts";
import {
  type DeviceTensor,
  type Engine,
  type GraphBinding,
  type GraphSession,
  type GraphTensor,
  zeroBytes,
  zeros,
} from "./engine.ts";

export interface CacheShape {
  /** What keys and values are kept as. */
  readonly type: "float32" | "int8";
  readonly layers: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** Tokens by which main memory grows. */
const step = 256;

/** Tokens on a device, whose memory is taken at once: what lies there cannot be moved from here. */
export const deviceCapacity = 2048;

type CacheValues = Float32Array | Int8Array;
type MainTensor = GraphTensor<CacheValues>;
type CacheTensor = MainTensor | DeviceTensor;

/**
 * Keys and values of one sequence, [1, kvHeads, capacity, headSize] a layer and side. The same tensor is bound as
 * past and as present, so that the graph adds new tokens in place and nothing is copied.
 */
export class KeyValueCache implements Cache {
  readonly #engine: Engine;
  readonly #session: GraphSession;
  readonly #shape: CacheShape;
  readonly #binding: GraphBinding;
  #tensors: CacheTensor[] = [];
  #capacity = 0;
  #length = 0;
  #idle: Promise<unknown> = Promise.resolve();

  constructor(engine: Engine, session: GraphSession, shape: CacheShape) {
    this.#engine = engine;
    this.#session = session;
    this.#shape = shape;
    this.#binding = session.bind();
  }

  get length(): number {
    return this.#length;
  }

  /** Tokens that have room; 0 before the first. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bound to this cache's memory; the caller binds the other inputs. */
  get binding(): GraphBinding {
    return this.#binding;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, Math.max(0, length));
  }

  copy(from: number, to: number): CachedTokens | null {
    const tokens = to - from;
    if (this.#session.device !== null || from < 0 || tokens < 1 || to > this.#length) return null;
    const { kvHeads, headSize } = this.#shape;
    const parts = this.#tensors.map((tensor) => {
      const { data } = tensor as MainTensor;
      const part = this.#zeros(kvHeads * tokens * headSize);
      for (let head = 0; head < kvHeads; head += 1) {
        const start = (head * this.#capacity + from) * headSize;
        part.set(data.subarray(start, start + tokens * headSize), head * tokens * headSize);
      }
      return part;
    });
    return { from, tokens, parts };
  }

  append({ from, tokens, parts }: CachedTokens): void {
    if (from !== this.#length) throw appError("model-failed", "Kept tokens were put in another place.");
    this.reserve(tokens);
    const { kvHeads, headSize } = this.#shape;
    for (const [index, part] of parts.entries()) {
      const { data } = this.#tensors[index] as MainTensor;
      for (let head = 0; head < kvHeads; head += 1) {
        const kept = part.subarray(head * tokens * headSize, (head + 1) * tokens * headSize);
        data.set(kept, (head * this.#capacity + from) * headSize);
      }
    }
    this.#length += tokens;
  }

  /** Makes room for `tokens` more. @throws out-of-memory, question-too-long (on a device) */
  reserve(tokens: number): void {
    const needed = this.#length + tokens;
    if (needed <= this.#capacity) return;
    const { device } = this.#session;
    if (device === null) {
      const capacity = Math.ceil(needed / step) * step;
      this.#bind(capacity, (index) => this.#grown(this.#tensors[index], capacity));
      return;
    }
    if (needed > deviceCapacity) {
      throw appError(
        "question-too-long",
        `On this graphics card a question may have ${deviceCapacity} tokens.`,
      );
    }
    this.#bind(deviceCapacity, () => device.tensor(this.#tensorShape(deviceCapacity)));
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

  #bind(capacity: number, make: (index: number) => CacheTensor): void {
    const names = cacheNames(this.#shape.layers);
    const made: CacheTensor[] = [];
    try {
      for (const index of names.keys()) made.push(make(index));
    } catch (thrown) {
      for (const tensor of made) tensor.dispose();
      throw thrown;
    }
    for (const [index, [past, present]] of names.entries()) {
      this.#binding.input(past, made[index]!);
      this.#binding.output(present, made[index]!);
    }
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors = made;
    this.#capacity = capacity;
  }

  #zeros(length: number): CacheValues {
    return this.#shape.type === "int8" ? zeroBytes(length) : zeros(length);
  }

  #tensorShape(capacity: number): number[] {
    return [1, this.#shape.kvHeads, capacity, this.#shape.headSize];
  }

  #grown(old: CacheTensor | undefined, capacity: number): MainTensor {
    const { kvHeads, headSize } = this.#shape;
    const values = this.#zeros(kvHeads * capacity * headSize);
    if (old && "data" in old) {
      for (let head = 0; head < kvHeads; head += 1) {
        const start = head * this.#capacity * headSize;
        const held = old.data.subarray(start, start + this.#length * headSize);
        values.set(held, head * capacity * headSize);
      }
    }
    return this.#engine.tensor(values, this.#tensorShape(capacity));
  }
}

function cacheNames(layers: number): [past: string, present: string][] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) => [
    [`past_key_${layer}`, `present_key_${layer}`],
    [`past_value_${layer}`, `present_value_${layer}`],
  ]);
}
