/** Work that nobody waits for: the newest piece ends the one before, and what cannot wait ends it too. */
export class WorkAhead {
  #stop = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  /** Failures are left to the work that it was done for: there they are told. */
  async start(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const before = this.stop();
    const stop = new AbortController();
    this.#stop = stop;
    this.#ended = before.then(async () => {
      const either = AbortSignal.any([stop.signal, signal]);
      if (!either.aborted) await work(either).catch(() => undefined);
    });
    await this.#ended;
  }

  /** Resolves when nothing is being done any more. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#ended;
  }
}
