import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { appError, throwIfAborted } from "../core/errors.ts";
import type { PackFit } from "../core/memory-fit.ts";
import type { PackSummary, PackTrust } from "../core/model-pack.ts";
import type { InferenceSettings } from "./api.ts";
import { type MachineMemory, machineMemory } from "./fit/available-memory.ts";
import { judgeFit } from "./fit/judge-fit.ts";
import { type PackSizes, readPackSizes } from "./fit/pack-sizes.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import { measuredPack } from "./measure-pack.ts";
import { type InstalledPack, openPack } from "./open-pack.ts";
import { findPacks } from "./pack/read-pack.ts";
import { readReferences } from "./read-references.ts";
import { findCuda } from "./runtime/find-cuda.ts";
import { PreparedWeights, processorName } from "./runtime/prepared-weights.ts";
import { ProviderChoice } from "./runtime/providers.ts";
import { openRuntime, type Runtime, type RuntimeOpeners } from "./runtime/runtime.ts";

/** Nobody has used the pack for so long: the references are read ahead. */
const pauseMs = 300;

/** A loaded pack in use; it stays loaded until `release`. */
export interface PackLease {
  readonly pack: LoadedPack;
  /** Milliseconds that the caller waited for it. */
  readonly waitedMs: number;
  release(): void;
}

interface Shelved {
  readonly key: string;
  readonly opening: Promise<LoadedPack>;
  users: number;
  /** Reading the references ahead, while nobody uses the pack. */
  ahead: { readonly stop: AbortController; readonly ended: Promise<void> } | null;
}

/**
 * The installed packs, and the one that is loaded. Callers that ask for the same pack share one loading; another
 * pack takes the place of the last, whose memory is given back once nobody uses it.
 */
export class PackShelf {
  #settings: InferenceSettings = { packFolders: [], provider: "auto", threads: null, stateFolder: null };
  #current: Shelved | null = null;
  #runtime: Promise<Runtime> | null = null;
  #providers: ProviderChoice;
  /** What keeps CUDA from being used; looked at before the runtime is opened. */
  #cuda: Promise<string | null> = Promise.resolve(null);
  readonly #openers: RuntimeOpeners;
  readonly #memory: () => Promise<MachineMemory>;
  /** By digest: what the files say does not change, what is free does. */
  readonly #sizes = new Map<string, PackSizes>();

  constructor(openers: RuntimeOpeners, memory: () => Promise<MachineMemory> = machineMemory) {
    this.#openers = openers;
    this.#memory = memory;
    this.#providers = this.#choice();
  }

  configure(settings: InferenceSettings): void {
    this.#settings = settings;
    this.#providers = this.#choice();
    this.#replace(null);
  }

  /** Whose signatures count for a pack: what came with the app is the app. */
  trustFor(folder: string): PackTrust | null {
    const { packFolders, trust = null } = this.#settings;
    return path.dirname(folder) === packFolders[0] ? null : trust;
  }

  get folders(): readonly string[] {
    return this.#settings.packFolders;
  }

  get providers(): ProviderChoice {
    return this.#providers;
  }

  async list(signal: AbortSignal): Promise<PackSummary[]> {
    return (await this.#installed(signal)).map(({ summary }) => summary);
  }

  /** What each pack would take of the machine's memory. One whose files cannot be read is left out. */
  async fits(signal: AbortSignal): Promise<PackFit[]> {
    const packs = await this.#installed(signal);
    // A provider that does not work is said where it is used; until then the processor is as good a guess as any.
    const provider = await this.#providers.choose(signal).then(
      ({ name }) => name,
      () => "cpu",
    );
    const fits: PackFit[] = [];
    for (const pack of packs) {
      throwIfAborted(signal);
      const fit = await this.#fit(pack, provider).catch(() => null);
      if (fit !== null) fits.push(fit);
    }
    return fits;
  }

  /** Null: the pack that is shipped with the app. @throws pack-not-found, pack-damaged */
  async find(name: string | null, signal: AbortSignal): Promise<InstalledPack> {
    const packs = await this.#installed(signal);
    const pack =
      name === null
        ? (packs.find(({ summary }) => summary.embedded) ?? packs[0])
        : packs.find(({ summary }) => summary.name === name);
    if (pack) return pack;
    throw appError(
      "pack-not-found",
      name === null
        ? "No model pack is installed."
        : `The model pack ${name} is not installed. Choose another one.`,
    );
  }

  /** Loads a pack unless it is loaded. The abort of `signal` ends the waiting, not the loading that others share. */
  async lease(name: string | null, signal: AbortSignal): Promise<PackLease> {
    const started = performance.now();
    const installed = await this.find(name, signal);
    const key = `${installed.folder} ${installed.summary.digest}`;
    let shelved = this.#current;
    if (!shelved || shelved.key !== key) {
      shelved = { key, opening: this.#open(installed), users: 0, ahead: null };
      this.#replace(shelved);
    }
    const using = shelved;
    using.users += 1;
    using.ahead?.stop.abort();
    const release = () => {
      using.users -= 1;
      if (using !== this.#current) disposeUnused(using);
      else if (using.users === 0) readAhead(using);
    };
    try {
      const pack = await abortable(using.opening, signal);
      return { pack, waitedMs: performance.now() - started, release: once(release) };
    } catch (thrown) {
      release();
      throw thrown;
    }
  }

  async dispose(): Promise<void> {
    this.#replace(null);
  }

  /** The runtime stays for the life of the process, whatever the settings. */
  #choice(): ProviderChoice {
    // Before the library is loaded: it looks for CUDA's files where it lies itself.
    const cuda = findCuda(this.#settings);
    this.#cuda = cuda;
    return new ProviderChoice(this.#settings, () => this.#openRuntime(), { cuda: () => cuda });
  }

  #openRuntime(): Promise<Runtime> {
    const opening = async () => {
      await this.#cuda;
      return openRuntime(this.#openers);
    };
    this.#runtime ??= opening().catch((thrown: unknown) => {
      this.#runtime = null;
      throw thrown;
    });
    return this.#runtime;
  }

  #installed(signal: AbortSignal): Promise<InstalledPack[]> {
    return findPacks(this.#settings.packFolders, signal);
  }

  async #open(installed: InstalledPack): Promise<LoadedPack> {
    const { signal } = new AbortController();
    try {
      const providers = this.#providers;
      const provider = await providers.choose(signal, measuredPack(installed, await this.#openRuntime()));
      // Files that cannot be read are named where they are checked.
      const fit = await this.#fit(installed, provider.name).catch(() => null);
      if (fit?.status === "too-large") throw appError("out-of-memory", fit.text);
      return await openPack(
        { ...installed, trust: this.trustFor(installed.folder) },
        {
          ...provider,
          notes: fit?.status === "tight" ? [fit.text] : [],
          weights: await this.#preparedWeights(provider.runtime),
          outOfMemory: () => void providers.tooLittleMemory(provider.name, installed.summary.digest),
        },
        signal,
      );
    } catch (thrown) {
      // The next question tries again instead of failing with this one's error.
      if (this.#current?.key.startsWith(`${installed.folder} `)) this.#current = null;
      throw thrown;
    }
  }

  async #preparedWeights({ version }: Runtime): Promise<PreparedWeights | null> {
    const { cacheFolder = null } = this.#settings;
    if (cacheFolder === null) return null;
    const folder = path.join(cacheFolder, "weights");
    return new PreparedWeights({ folder, version, processor: await processorName() });
  }

  async #fit({ folder, summary: { name, digest } }: InstalledPack, provider: string): Promise<PackFit> {
    const sizes = this.#sizes.get(digest) ?? (await readPackSizes(folder));
    this.#sizes.set(digest, sizes);
    const { free: available, total } = await this.#memory();
    // One pack is loaded at a time: what this process holds makes room for the next.
    const free =
      available === null ? null : Math.min(available + process.memoryUsage.rss(), total ?? Infinity);
    const memory = { free, total };
    return judgeFit({ pack: name, digest, provider, sizes, memory, deviceFree: null });
  }

  #replace(next: Shelved | null): void {
    const last = this.#current;
    this.#current = next;
    if (last) disposeUnused(last);
  }
}

function disposeUnused({ opening, users, ahead }: Shelved): void {
  if (users > 0) return;
  ahead?.stop.abort();
  void Promise.all([opening, ahead?.ended]).then(
    ([pack]) => pack.dispose(),
    () => undefined,
  );
}

/** What was read before an abort stays read; the next pause goes on from there. */
function readAhead(shelved: Shelved): void {
  const stop = new AbortController();
  const before = shelved.ahead?.ended;
  const ended = (async () => {
    await before;
    // A question that comes at once should not have to stop anything.
    await setTimeout(pauseMs, undefined, { signal: stop.signal });
    await readReferences(await shelved.opening, stop.signal);
  })().catch(() => undefined);
  shelved.ahead = { stop, ended };
}

async function abortable<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  throwIfAborted(signal);
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(appError("cancelled", "Cancelled."));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
