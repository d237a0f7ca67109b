import type { LanguageModel } from "./backend.ts";
import { KeptImages } from "./kept-images.ts";
import { PromptReader } from "./prompt-reader.ts";

/** Caches kept when nobody uses them; a follow-up question finds its image in one. */
const idleLimit = 2;

/** Prompt readers, each used by one question at a time; the one used last is lent first. */
export class ReaderPool {
  readonly #model: LanguageModel;
  readonly kept = new KeptImages();
  #idle: PromptReader[] = [];

  constructor(model: LanguageModel) {
    this.#model = model;
  }

  borrow(): PromptReader {
    return this.#idle.pop() ?? this.create();
  }

  /** One that is not lent: the caller disposes it. */
  create(): PromptReader {
    return new PromptReader(this.#model, this.kept);
  }

  async giveBack(reader: PromptReader): Promise<void> {
    this.#idle.push(reader);
    await this.#trim();
  }

  /** One for work that reads other images than the next question will: it leaves the one used last alone. */
  borrowSpare(): PromptReader {
    return this.#idle.length > 1 ? this.#idle.shift()! : this.create();
  }

  /** It is lent as a last resort. */
  async giveBackSpare(reader: PromptReader): Promise<void> {
    this.#idle.unshift(reader);
    await this.#trim();
  }

  async #trim(): Promise<void> {
    if (this.#idle.length > idleLimit) await this.#idle.shift()!.dispose();
  }

  async dispose(): Promise<void> {
    const idle = this.#idle;
    this.#idle = [];
    for (const reader of idle) await reader.dispose();
  }
}
