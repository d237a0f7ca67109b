import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { appError, toAppError } from "../../core/errors.ts";
import type { ProviderStatus } from "../../core/model-pack.ts";
import type { InferenceSettings } from "../api.ts";
import type { SessionOptions, SessionProvider } from "./engine.ts";
import type { PreparedWeights } from "./prepared-weights.ts";
import { type Candidate, candidatesFor } from "./provider-candidates.ts";
import { driverMark, ProviderMemory, type ProviderResult } from "./provider-memory.ts";
import { disagreement, type Probe, type ProbeResult, runProbe } from "./run-probe.ts";
import type { Runtime } from "./runtime.ts";

export interface ChosenProvider extends SessionOptions {
  /** What an answer says it was made on. */
  readonly name: string;
  readonly runtime: Runtime;
  /** What encodes images, where that is another one. */
  readonly images?: SessionProvider;
  /** What answers must say of it; absent: nothing. */
  readonly notes?: readonly string[];
  /** Where decoders are kept as they were prepared for this machine; absent: nowhere. */
  readonly weights?: PreparedWeights | null;
  /** Called where a card's memory was not enough. */
  readonly outOfMemory?: () => void;
}

/** What the machine has; tests give their own. */
export interface ProviderMachine {
  readonly candidates: readonly Candidate[];
  readonly probe: Probe;
  /** Another one once a driver has changed. */
  readonly drivers: () => Promise<string>;
  /** What keeps CUDA from being tried, with the files that are missing; null: nothing that is known. */
  readonly cuda: () => Promise<string | null>;
}

const thisMachine: ProviderMachine = {
  candidates: candidatesFor(process.platform),
  probe: runProbe,
  drivers: () => driverMark(),
  cuda: async () => null,
};

/** A pack whose speed decides what it runs on, where several providers work. */
export interface MeasuredPack {
  readonly digest: string;
  /** Milliseconds a token. @throws whatever keeps the pack from running there */
  measure(options: SessionOptions): Promise<number>;
}

/** Another self-test makes what was remembered of the last one worthless. */
const selfTest = 2;

/**
 * Chooses what models run on. "auto" tries each candidate with a small decoder, compares its numbers with the CPU's
 * and takes the fastest that is right; where several are, the pack itself is measured on each. What was found is
 * remembered for this version of the runtime and these drivers. A graphics driver that ends the process leaves a file
 * behind in `stateFolder`; the next start sees it and leaves that provider out. The second runtime runs on the CPU
 * alone.
 */
export class ProviderChoice {
  readonly #settings: InferenceSettings;
  readonly #runtime: () => Promise<Runtime>;
  readonly #machine: ProviderMachine;
  #tried: Promise<Tried> | null = null;
  #pack: { readonly times: Readonly<Record<string, number | null>> } | null = null;

  constructor(
    settings: InferenceSettings,
    runtime: () => Promise<Runtime>,
    machine: Partial<ProviderMachine> = {},
  ) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#machine = { ...thisMachine, ...machine };
  }

  get threads(): number {
    return this.#settings.threads ?? Math.max(1, availableParallelism());
  }

  /**
   * `pack`: what it is for; its speed is measured where more than one provider works.
   * @throws provider-not-available where the settings name one that does not work here
   */
  async choose(signal: AbortSignal, pack: MeasuredPack | null = null): Promise<ChosenProvider> {
    const { threads } = this;
    const asked = this.#settings.provider;
    const runtime = await this.#runtime();
    const cpu = { name: runtime.instead === null ? "cpu" : "cpu, second runtime", provider: null };
    // No graphics driver is touched for someone who has chosen the CPU.
    if (asked === "cpu") return { ...cpu, threads, runtime };
    if (pack !== null) await this.#measure(pack, signal);
    const statuses = await this.statuses(signal);
    const taken = statuses.find(({ status, images_only }) => status === "in-use" && !images_only);
    const images = statuses.find(({ status, images_only }) => status === "in-use" && images_only);
    if (!taken) {
      const reason =
        statuses.find(({ name }) => name === asked)?.reason ?? "This machine knows no such provider.";
      throw appError(
        "provider-not-available",
        `Models cannot run on ${asked}: ${reason} Choose "auto" in the settings.`,
      );
    }
    const encoder = images && this.#candidate(images.name)?.session;
    const common = { threads, runtime, ...(encoder ? { images: encoder } : {}) };
    const options = await this.#optionsOf(taken.name);
    return options.provider === null ? { ...cpu, ...common } : { name: taken.name, ...options, ...common };
  }

  /** Each provider with what was found, the CPU first. Tried once a process. */
  async statuses(signal: AbortSignal): Promise<ProviderStatus[]> {
    signal.throwIfAborted();
    const { instead } = await this.#runtime();
    if (instead !== null) return this.#cpuAlone(instead);
    const { results, remembered } = await this.#results();
    return this.#chosen(results).map((one) => (remembered ? { ...one, remembered } : one));
  }

  /** A card had too little memory for a pack: the next loading does not try it again. */
  async tooLittleMemory(provider: string, pack: string): Promise<void> {
    const memory = await this.#memory();
    await memory.keepTimes(pack, { ...(await memory.times(pack)), [provider]: null });
  }

  #candidate(name: string): Candidate | undefined {
    return this.#machine.candidates.find((one) => one.name === name);
  }

  async #optionsOf(name: string): Promise<SessionOptions> {
    const { threads } = this;
    const provider = this.#candidate(name)?.session ?? null;
    const { results } = await this.#results();
    const careful = results.find((one) => one.name === name)?.careful ?? false;
    return careful ? { provider, threads, careful } : { provider, threads };
  }

  #results(): Promise<Tried> {
    this.#tried ??= this.#tryAll().catch((thrown: unknown) => {
      this.#tried = null;
      throw thrown;
    });
    return this.#tried;
  }

  async #memory(): Promise<ProviderMemory> {
    const { version } = await this.#runtime();
    const { cuda, drivers } = this.#machine;
    const { stateFolder, cudaFolder = null } = this.#settings;
    const facts = [selfTest, version, await drivers(), this.threads, cudaFolder, await cuda()];
    return new ProviderMemory(stateFolder, JSON.stringify(facts));
  }

  async #tryAll(): Promise<Tried> {
    const memory = await this.#memory();
    const known = await memory.results();
    const asked = known.find(({ name }) => name === this.#settings.provider);
    const complete = ["cpu", ...this.#machine.candidates.map(({ name }) => name)].every((name) =>
      known.some((one) => one.name === name),
    );
    // Who names a provider that did not work wants it tried again.
    if (complete && (asked === undefined || asked.status === "works"))
      return { results: known, remembered: true };
    const results = await new SelfTest(this.#settings, this.#machine, this.threads).run();
    await memory.keepResults(results);
    return { results, remembered: false };
  }

  /** Loads the pack on each provider that works, unless that is known from another day. */
  async #measure(pack: MeasuredPack, signal: AbortSignal): Promise<void> {
    if (this.#settings.provider !== "auto" || (await this.#runtime()).instead !== null) return;
    const { results } = await this.#results();
    const working = results.filter((one) => this.#isRanked(one));
    if (working.length < 2) return;
    const memory = await this.#memory();
    const times: Record<string, number | null> = { ...(await memory.times(pack.digest)) };
    for (const { name } of working) {
      signal.throwIfAborted();
      if (name in times) continue;
      times[name] = await pack.measure(await this.#optionsOf(name)).catch((thrown: unknown) => {
        // The CPU's error is the pack's own and is told when it is loaded.
        if (name !== "cpu" || toAppError(thrown).code === "out-of-memory") return null;
        throw thrown;
      });
    }
    await memory.keepTimes(pack.digest, times);
    this.#pack = { times };
  }

  /** Works, and "auto" may take it for the language model. */
  #isRanked({ name, status }: ProviderResult): boolean {
    const candidate = this.#candidate(name);
    return status === "works" && (!candidate || (candidate.use === "all" && candidate.proof !== "unproven"));
  }

  #cpuAlone(reason: string): ProviderStatus[] {
    const { provider } = this.#settings;
    const cpu: ProviderStatus = {
      name: "cpu",
      status: provider === "auto" || provider === "cpu" ? "in-use" : "works",
      reason: `Through the second, slower way to the model runtime. The first one failed: ${reason}`,
      probe_ms: null,
    };
    const others = this.#machine.candidates.map(({ name }): ProviderStatus => {
      const why = "The second way to the model runtime, in use here, runs on the CPU alone.";
      return { name, status: "not-available", reason: why, probe_ms: null };
    });
    return [cpu, ...others];
  }

  /** Says which of those that work is taken, and why not the others. */
  #chosen(results: readonly ProviderResult[]): ProviderStatus[] {
    const { provider: asked } = this.#settings;
    const times = this.#pack?.times ?? null;
    const timeOf = ({ name, probe_ms }: ProviderResult) =>
      times === null ? (probe_ms ?? 0) : (times[name] ?? Infinity);
    const ranked = results.filter((one) => this.#isRanked(one)).toSorted((a, b) => timeOf(a) - timeOf(b));
    const works = (name: string) => results.find((one) => one.name === name && one.status === "works");
    const imagesOnly = this.#candidate(asked)?.use === "images";
    const taken = asked === "auto" ? ranked[0] : imagesOnly ? works(asked) && works("cpu") : works(asked);
    const unit = times === null ? "ms" : "ms a token";
    return results.map((one): ProviderStatus => {
      const candidate = this.#candidate(one.name);
      const { careful, ...result } = one;
      const status: ProviderStatus = {
        ...result,
        ...(candidate && candidate.proof !== "proven" ? { unproven: true } : {}),
        ...(candidate?.use === "images" ? { images_only: true } : {}),
        ...(times && one.name in times ? { token_ms: times[one.name] ?? null } : {}),
      };
      if (one.status !== "works") return status;
      const slowly = careful ? " Its faster kernels give wrong numbers and are left out." : "";
      if (one === taken || (imagesOnly && one.name === asked && taken)) {
        const only =
          ranked.length === 1 ? "The only one that works here." : "The fastest that gives the right numbers.";
        const why =
          asked === "auto"
            ? only
            : imagesOnly && one.name === "cpu"
              ? "For the language model."
              : "Chosen in the settings.";
        return { ...status, status: "in-use", reason: `${why}${slowly}` };
      }
      return { ...status, reason: `${whyNot(one)}${slowly}` };
    });

    function whyNot(one: ProviderResult): string {
      if (asked !== "auto") return "Works; not chosen in the settings.";
      if (!ranked.includes(one))
        return "Works in the self-test; taken only where it is chosen in the settings.";
      const [time, best] = [timeOf(one), timeOf(taken!)];
      if (!Number.isFinite(time)) return "Works, but has too little memory for this pack, or cannot run it.";
      return `Works, but slower here: ${time} ${unit} against ${best} ${unit}.`;
    }
  }
}

interface Tried {
  readonly results: readonly ProviderResult[];
  readonly remembered: boolean;
}

/** Tries every candidate once. */
class SelfTest {
  readonly #settings: InferenceSettings;
  readonly #machine: ProviderMachine;
  readonly #threads: number;
  readonly #expected = new Map<Candidate["use"], Promise<ProbeResult>>();

  constructor(settings: InferenceSettings, machine: ProviderMachine, threads: number) {
    this.#settings = settings;
    this.#machine = machine;
    this.#threads = threads;
  }

  async run(): Promise<ProviderResult[]> {
    const found: ProviderResult[] = [];
    for (const candidate of this.#machine.candidates) found.push(await this.#try(candidate));
    // Where nothing else runs there is nothing to compare, and a start need not wait for it.
    const cpu = found.some(({ status }) => status === "works") ? await this.#probeCpu() : null;
    return [{ name: "cpu", status: "works", reason: "", probe_ms: cpu?.milliseconds ?? null }, ...found];
  }

  #probeCpu(): Promise<ProbeResult> {
    return this.#machine.probe({ provider: null, threads: this.#threads, careful: false, use: "all" });
  }

  async #try(candidate: Candidate): Promise<ProviderResult> {
    const { name } = candidate;
    const failed = (status: "failed" | "not-available", reason: string) => ({
      name,
      status,
      reason,
      probe_ms: null,
    });
    const problem = name === "cuda" ? await this.#machine.cuda() : null;
    if (problem !== null) return failed("not-available", problem);
    const marker = await openMarker(this.#settings.stateFolder, name);
    // Who names a provider in the settings wants it tried again.
    if (marker.left && this.#settings.provider !== name) {
      const again = `Choose "${name}" in the settings to try again.`;
      return failed("failed", `It ended the app's model process at the last try. ${again}`);
    }
    await marker.set();
    try {
      return await this.#judge(candidate);
    } catch (thrown) {
      const absent = isAbsent(thrown);
      return failed(
        absent ? "not-available" : "failed",
        absent ? candidate.missing : toAppError(thrown).message,
      );
    } finally {
      await marker.clear();
    }
  }

  /** As it is, and where that gives wrong numbers without its faster kernels. */
  async #judge({ name, session, use }: Candidate): Promise<ProviderResult> {
    const request = { provider: session, threads: this.#threads, use };
    const fast = await this.#machine.probe({ ...request, careful: false });
    const expected = await this.#expectedOf(use);
    const wrong = disagreement(fast.values, expected.values);
    if (wrong === null) return { name, status: "works", reason: "", probe_ms: fast.milliseconds };
    if (use === "all") {
      const careful = await this.#machine.probe({ ...request, careful: true });
      if (disagreement(careful.values, expected.values) === null) {
        return { name, status: "works", reason: "", probe_ms: careful.milliseconds, careful: true };
      }
    }
    return { name, status: "wrong-result", reason: wrong, probe_ms: fast.milliseconds };
  }

  /** By the CPU's exact kernels. */
  #expectedOf(use: Candidate["use"]): Promise<ProbeResult> {
    const known =
      this.#expected.get(use) ??
      this.#machine.probe({ provider: null, threads: this.#threads, careful: true, use });
    this.#expected.set(use, known);
    return known;
  }
}

/** There is no such device or library, which is no failure. */
function isAbsent(thrown: unknown): boolean {
  const words = String((thrown as Error).cause ?? thrown);
  const absent =
    /adapter|unknown provider|not supported in this build|not enabled|cannot open shared object|failed to load (?:shared )?library|LoadLibrary|no (?:such )?device/i;
  return absent.test(words);
}

interface Marker {
  /** Left behind by a process that did not come back from the last try. */
  readonly left: boolean;
  set(): Promise<void>;
  clear(): Promise<void>;
}

async function openMarker(folder: string | null, name: string): Promise<Marker> {
  if (folder === null) return { left: false, set: async () => undefined, clear: async () => undefined };
  const file = path.join(folder, `trying-${name}`);
  const left = await stat(file).then(
    () => true,
    () => false,
  );
  return {
    left,
    async set() {
      await mkdir(folder, { recursive: true });
      await writeFile(file, "");
    },
    clear: () => rm(file, { force: true }),
  };
}
