import type { SessionProvider } from "./engine.ts";
import { openLanguageModel } from "./open-language.ts";
import { probe, probeDecoder, probeEmbeddings, probeEncoder, probePixels } from "./probe-graph.ts";
import { OrtVisionModel } from "./vision-model.ts";

/** What a provider computed for the probe, and how long that took. */
export interface ProbeResult {
  readonly values: Float32Array;
  readonly milliseconds: number;
}

export interface ProbeRequest {
  /** Null: the CPU. */
  readonly provider: SessionProvider | null;
  readonly threads: number;
  /** As `SessionOptions.careful`. */
  readonly careful: boolean;
  readonly use: "all" | "images";
}

export type Probe = (request: ProbeRequest) => Promise<ProbeResult>;

const promptTokens = 96;

/** Computes the same thing four times; the time is the median of three rounds after a first one. */
export const runProbe: Probe = async ({ use, ...options }) => {
  const { compute, dispose } = use === "all" ? await openDecoder(options) : await openEncoder(options);
  try {
    const times: number[] = [];
    let values = new Float32Array();
    for (let round = 0; round < 4; round += 1) {
      const started = performance.now();
      values = await compute();
      times.push(performance.now() - started);
    }
    const median = times.slice(1).toSorted((a, b) => a - b)[1]!;
    return { values, milliseconds: Math.round(median * 10) / 10 };
  } finally {
    await dispose();
  }
};

interface Opened {
  readonly compute: () => Promise<Float32Array<ArrayBuffer>>;
  readonly dispose: () => Promise<void>;
}

const { signal: never } = new AbortController();

/** Reads a prompt and three tokens, as an answer does. Every row counts: kernels have been wrong in some only. */
async function openDecoder(options: Omit<ProbeRequest, "use">): Promise<Opened> {
  const decoder = { type: "bytes", bytes: probeDecoder(), dataFolder: null } as const;
  const source = { embed: null, decoder, vocabulary: probe.vocabulary, contextLength: probe.context };
  const model = await openLanguageModel(source, options);
  const prompt = probeEmbeddings(promptTokens);
  const token = probeEmbeddings(1);
  const rows = Array.from({ length: promptTokens }, (_, row) => row);
  return {
    async compute() {
      const cache = model.createCache();
      const parts = [await model.forward({ cache, embeddings: prompt, rows }, never)];
      for (let step = 0; step < 3; step += 1) {
        parts.push(await model.forward({ cache, embeddings: token, rows: [0] }, never));
      }
      await cache.dispose();
      return Float32Array.from(parts.flatMap((part) => [...part]));
    },
    dispose: () => model.dispose(),
  };
}

async function openEncoder(options: Omit<ProbeRequest, "use">): Promise<Opened> {
  const { pixels, tokens, width } = probe.encoder;
  const graph = { type: "bytes", bytes: probeEncoder(), dataFolder: null } as const;
  const source = { graph, width: pixels, height: pixels, tokens, hidden: width };
  const model = await OrtVisionModel.open(source, options);
  const image = probePixels();
  return {
    compute: async () => Float32Array.from(await model.encode(image, 1, never)),
    dispose: () => model.dispose(),
  };
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
