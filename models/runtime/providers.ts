import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { appError, toAppError } from "../../core/errors.ts";
import type { ProviderStatus } from "../../core/model-pack.ts";
import type { InferenceSettings } from "../api.ts";
import { OrtLanguageModel } from "./language-model.ts";
import type { SessionOptions, SessionProvider } from "./engine.ts";
import type { PreparedWeights } from "./prepared-weights.ts";
import { probe, probeDecoder, probeEmbeddings } from "./probe-graph.ts";
import type { Runtime } from "./runtime.ts";

/** A provider that this platform may have, by the name that settings use. */
export interface Candidate {
  readonly name: string;
  readonly session: SessionProvider;
  /** Said where it cannot be started. */
  readonly missing: string;
}

export interface ChosenProvider extends SessionOptions {
  /** What an answer says it was made on. */
  readonly name: string;
  readonly runtime: Runtime;
  /** What answers must say of it; absent: nothing. */
  readonly notes?: readonly string[];
  /** Where weights are kept ready for this processor; absent: nowhere. */
  readonly weights?: PreparedWeights | null;
  /** Called where a card's memory was not enough. */
  readonly outOfMemory?: () => void;
}

const webgpu: Candidate = {
  name: "webgpu",
  session: { name: "WebGPU", options: {}, memory: "WebGPU_Buffer" },
  missing: "No graphics adapter that WebGPU can use was found.",
};
const directml: Candidate = {
  name: "directml",
  session: { name: "DML", options: {}, memory: "DML" },
  missing: "DirectML found no graphics card that it can use.",
};
const coreml: Candidate = {
  name: "coreml",
  session: { name: "CoreML", options: {}, memory: null },
  missing: "Core ML cannot be used by this build of the model runtime.",
};
const cuda: Candidate = {
  name: "cuda",
  session: { name: "CUDA", options: {}, memory: "Cuda" },
  missing: "The NVIDIA files of the model runtime are not installed.",
};

/** What could run models on a platform besides the CPU. */
export function candidatesFor(platform: NodeJS.Platform): readonly Candidate[] {
  if (platform === "win32") return [cuda, directml, webgpu];
  if (platform === "darwin") return [coreml, webgpu];
  return [cuda, webgpu];
}

/** What a provider computed for the probe, and how long that took. */
export interface ProbeResult {
  readonly logits: Float32Array;
  readonly milliseconds: number;
}

export type Probe = (provider: SessionProvider | null, threads: number) => Promise<ProbeResult>;

/** What the machine has; tests give their own. */
export interface ProviderMachine {
  readonly candidates: readonly Candidate[];
  readonly probe: Probe;
}

/**
 * Chooses what models run on. "auto" tries each candidate with a small decoder, compares its numbers with the CPU's
 * and takes the fastest that is right. A graphics driver that ends the process leaves a file behind in `stateFolder`;
 * the next start sees it and leaves that provider out. The second runtime runs on the CPU alone.
 */
export class ProviderChoice {
  readonly #settings: InferenceSettings;
  readonly #runtime: () => Promise<Runtime>;
  readonly #candidates: readonly Candidate[];
  readonly #probe: Probe;
  #tried: Promise<ProviderStatus[]> | null = null;

  constructor(
    settings: InferenceSettings,
    runtime: () => Promise<Runtime>,
    machine: ProviderMachine = { candidates: candidatesFor(process.platform), probe: runProbe },
  ) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#candidates = machine.candidates;
    this.#probe = machine.probe;
  }

  get threads(): number {
    return this.#settings.threads ?? Math.max(1, availableParallelism());
  }

  /** @throws provider-not-available where the settings name one that does not work here */
  async choose(signal: AbortSignal): Promise<ChosenProvider> {
    const { threads } = this;
    const asked = this.#settings.provider;
    const runtime = await this.#runtime();
    const cpu = { name: runtime.instead === null ? "cpu" : "cpu, second runtime", provider: null };
    // No graphics driver is touched for someone who has chosen the CPU.
    if (asked === "cpu") return { ...cpu, threads, runtime };
    const statuses = await this.statuses(signal);
    const taken = statuses.find(({ status }) => status === "in-use");
    if (!taken) {
      const reason =
        statuses.find(({ name }) => name === asked)?.reason ?? "This machine knows no such provider.";
      throw appError(
        "provider-not-available",
        `Models cannot run on ${asked}: ${reason} Choose "auto" in the settings.`,
      );
    }
    const provider = this.#candidates.find(({ name }) => name === taken.name)?.session ?? null;
    return { ...(provider === null ? cpu : { name: taken.name, provider }), threads, runtime };
  }

  /** Each provider with what was found, the CPU first. Tried once a process. */
  statuses(signal: AbortSignal): Promise<ProviderStatus[]> {
    signal.throwIfAborted();
    this.#tried ??= this.#tryAll().catch((thrown: unknown) => {
      this.#tried = null;
      throw thrown;
    });
    return this.#tried;
  }

  async #tryAll(): Promise<ProviderStatus[]> {
    const { instead } = await this.#runtime();
    if (instead !== null) return this.#cpuAlone(instead);
    const tries: Try[] = [];
    for (const candidate of this.#candidates) tries.push(await this.#try(candidate));
    // Where nothing else runs there is nothing to compare, and a start need not wait for it.
    const cpu = tries.some(({ result }) => result) ? await this.#probe(null, this.threads) : null;
    const found = [
      { name: "cpu", status: "works", reason: "", probe_ms: cpu?.milliseconds ?? null } as const,
      ...tries.map((one) => judged(one, cpu)),
    ];
    return chosen(found, this.#settings.provider);
  }

  #cpuAlone(reason: string): ProviderStatus[] {
    const { provider } = this.#settings;
    const cpu: ProviderStatus = {
      name: "cpu",
      status: provider === "auto" || provider === "cpu" ? "in-use" : "works",
      reason: `Through the second, slower way to the model runtime. The first one failed: ${reason}`,
      probe_ms: null,
    };
    const others = this.#candidates.map(({ name }): ProviderStatus => {
      const why = "The second way to the model runtime, in use here, runs on the CPU alone.";
      return { name, status: "not-available", reason: why, probe_ms: null };
    });
    return [cpu, ...others];
  }

  async #try({ name, session, missing }: Candidate): Promise<Try> {
    const marker = await openMarker(this.#settings.stateFolder, name);
    // Who names a provider in the settings wants it tried again.
    if (marker.left && this.#settings.provider !== name) {
      const reason = `It ended the app's model process at the last try. Choose "${name}" in the settings to try again.`;
      return { name, result: null, failure: { status: "failed", reason } };
    }
    await marker.set();
    try {
      return { name, result: await this.#probe(session, this.threads), failure: null };
    } catch (thrown) {
      return { name, result: null, failure: failureOf(missing, thrown) };
    } finally {
      await marker.clear();
    }
  }
}

type Failure = Pick<ProviderStatus, "status" | "reason">;

type Try =
  | { readonly name: string; readonly result: ProbeResult; readonly failure: null }
  | { readonly name: string; readonly result: null; readonly failure: Failure };

function judged({ name, result, failure }: Try, cpu: ProbeResult | null): ProviderStatus {
  if (result === null) return { name, ...failure, probe_ms: null };
  const wrong = disagreement(result.logits, cpu!.logits);
  const probe_ms = result.milliseconds;
  if (wrong !== null) return { name, status: "wrong-result", reason: wrong, probe_ms };
  return { name, status: "works", reason: "", probe_ms };
}

/** Says which of those that work is taken, and why not the others. */
function chosen(found: readonly ProviderStatus[], asked: string): ProviderStatus[] {
  const working = found.filter(({ status }) => status === "works");
  const fastest = working.toSorted((a, b) => (a.probe_ms ?? 0) - (b.probe_ms ?? 0))[0]!;
  const taken = asked === "auto" ? fastest : working.find(({ name }) => name === asked);
  return found.map((one): ProviderStatus => {
    if (one.status !== "works") return one;
    if (one !== taken) {
      const slower =
        asked === "auto" ? `Works, but slower here: ${one.probe_ms} ms against ${taken!.probe_ms} ms.` : null;
      return { ...one, reason: slower ?? "Works; not chosen in the settings." };
    }
    const only =
      working.length === 1 ? "The only one that works here." : "The fastest that gives the right numbers.";
    return { ...one, status: "in-use", reason: asked === "auto" ? only : "Chosen in the settings." };
  });
}

/** The largest difference to the CPU that rounding explains, as a part of the largest value. */
const tolerance = 0.02;

/** What is wrong with numbers that should be the CPU's; null where they agree. */
export function disagreement(found: Float32Array, expected: Float32Array): string | null {
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  if (worst <= tolerance * scale) return null;
  if (!Number.isFinite(worst)) return "It gives no numbers where the CPU gives some.";
  return `Its numbers are off by ${Math.round((100 * worst) / scale)} % of the CPU's.`;
}

function failureOf(missing: string, thrown: unknown): Failure {
  const words = String((thrown as Error).cause ?? thrown);
  const absent =
    /adapter|unknown provider|not supported in this build|not enabled|cannot open shared object|failed to load (?:shared )?library|LoadLibrary|no (?:such )?device/i;
  if (absent.test(words)) return { status: "not-available", reason: missing };
  return { status: "failed", reason: toAppError(thrown).message };
}

/** Reads a prompt and three tokens, as an answer does; the time is the median of three rounds after a first one. */
async function runProbe(provider: SessionProvider | null, threads: number): Promise<ProbeResult> {
  const { signal } = new AbortController();
  const graph = { type: "bytes", bytes: probeDecoder(), dataFolder: null } as const;
  const source = { embed: null, decoder: graph, vocabulary: probe.vocabulary, contextLength: probe.context };
  const model = await OrtLanguageModel.open(source, { provider, threads });
  try {
    const prompt = probeEmbeddings(96);
    const token = probeEmbeddings(1);
    const times: number[] = [];
    let logits = new Float32Array();
    for (let round = 0; round < 4; round += 1) {
      const cache = model.createCache();
      const started = performance.now();
      const first = await model.forward({ cache, embeddings: prompt, rows: [0, 95] }, signal);
      const rest: Float32Array[] = [];
      for (let step = 0; step < 3; step += 1) {
        rest.push(await model.forward({ cache, embeddings: token, rows: [0] }, signal));
      }
      times.push(performance.now() - started);
      logits = Float32Array.from([first, ...rest].flatMap((part) => [...part]));
      await cache.dispose();
    }
    const median = times.slice(1).toSorted((a, b) => a - b)[1]!;
    return { logits, milliseconds: Math.round(median * 10) / 10 };
  } finally {
    await model.dispose();
  }
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
