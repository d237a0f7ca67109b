import { appError } from "../../../core/errors.ts";
import { type Automaton, dead } from "./automaton.ts";
import type { TokenTrie } from "../../text/token-trie.ts";

/** Tokens that may come next, a bit each. */
interface Allowed {
  readonly bits: Uint32Array;
  /** Bytes that are missing at most after one of them: with room for so many, all of them may come. */
  readonly most: number;
}

/** States whose tokens are remembered: the inside of a string comes again with every token of it. */
const remembered = 256;

/**
 * Holds an answer to the texts of an automaton, whatever tokens they are said in, also where a token ends inside a
 * character. As many tokens as are left are always enough to end the text: each byte is a token of its own, so what is
 * missing in bytes can be said in as many tokens.
 */
export class TokenFilter {
  readonly #automaton: Automaton;
  readonly #trie: TokenTrie;
  readonly #stopIds: ReadonlySet<number>;
  readonly #allowed = new Map<number, Allowed>();
  /** By depth of the tree. */
  readonly #path: Int32Array;
  #state: number;

  constructor(automaton: Automaton, trie: TokenTrie, stopIds: ReadonlySet<number>) {
    this.#automaton = automaton;
    this.#trie = trie;
    this.#stopIds = stopIds;
    this.#path = new Int32Array(trie.deepest + 1);
    this.#state = automaton.start;
  }

  /** As many tokens are enough to end the text. */
  get least(): number {
    return this.#automaton.least(this.#state);
  }

  /** Whether what was said is a whole text. */
  get isWhole(): boolean {
    return this.#automaton.accepts(this.#state);
  }

  /** Whether it is one and nothing may follow. */
  get hasEnded(): boolean {
    return this.#automaton.ends(this.#state);
  }

  /**
   * The logits with -Infinity in place of every token that may not come next, `left` tokens being left with it.
   * @throws model-failed where the vocabulary has no token for what has to come
   */
  filter(logits: Float32Array, left: number): Float32Array {
    const all = this.#tokens();
    const { bits } = all.most < left ? all : this.#walk(this.#state, left - 1);
    const filtered = new Float32Array(logits.length).fill(-Infinity);
    let found = false;
    for (let word = 0; word < bits.length; word += 1) {
      for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) {
        const id = word * 32 + (31 - Math.clz32(rest & -rest));
        if (id >= logits.length) break;
        filtered[id] = logits[id]!;
        found = true;
      }
    }
    if (this.isWhole) {
      for (const id of this.#stopIds) filtered[id] = logits[id]!;
      found = true;
    }
    if (!found) throw appError("model-failed", "The model's vocabulary cannot say what the schema asks for.");
    return filtered;
  }

  /** Goes on behind a token that was said. */
  push(id: number): void {
    const bytes = this.#trie.bytes[id] ?? [];
    for (const byte of bytes) this.#state = this.#automaton.step(this.#state, byte);
    if (this.#state === dead)
      throw appError("model-failed", "The model said what the schema does not allow.");
  }

  #tokens(): Allowed {
    // How much of a long text is left makes no difference to one token.
    const from = this.#automaton.near(this.#state, this.#trie.deepest);
    const known = this.#allowed.get(from);
    if (known !== undefined) return known;
    const made = this.#walk(from, Infinity);
    if (this.#allowed.size >= remembered) this.#allowed.delete(this.#allowed.keys().next().value!);
    this.#allowed.set(from, made);
    return made;
  }

  /** Tokens after which the text that `from` begins can be ended within `room` bytes. */
  #walk(from: number, room: number): Allowed {
    const trie = this.#trie;
    const automaton = this.#automaton;
    const { byte, depth, next, first, ids } = trie;
    const bits = new Uint32Array(Math.ceil(trie.bytes.length / 32));
    const path = this.#path;
    path[0] = from;
    let most = 0;
    for (let node = 0; node < byte.length;) {
      const at = depth[node]!;
      const state = automaton.step(path[at - 1]!, byte[node]!);
      if (state === dead) {
        node = next[node]!;
        continue;
      }
      path[at] = state;
      const [entry, end] = [first[node]!, first[node + 1]!];
      if (entry < end) {
        const least = automaton.least(state);
        if (least <= room) {
          if (least > most) most = least;
          for (let own = entry; own < end; own += 1) {
            const id = ids[own]!;
            bits[id >>> 5]! |= 1 << (id & 31);
          }
        }
      }
      node += 1;
    }
    return { bits, most };
  }
}
