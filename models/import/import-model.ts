import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { PackSummary } from "../../core/model-pack.ts";
import { openPackFolder } from "../pack/pack-files.ts";
import { packSummary } from "../pack/read-pack.ts";
import { writePack } from "../pack/write-pack.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { buildDecoderGraphs } from "./decoder-graph.ts";
import { openGgufCheckpoint } from "./gguf-checkpoint.ts";
import { modelBytes } from "./graph-builder.ts";
import type { Precision } from "./graph-weights.ts";
import { openHfCheckpoint } from "./hf-checkpoint.ts";
import { rowCount, type TensorSource } from "./tensor-source.ts";
import { WeightFiles } from "./weight-files.ts";

export interface ImportInput {
  /** A GGUF file, or a folder as HF transformers writes it. */
  readonly source: string;
  /** The folder that holds packs; the new one is a folder in it, called `name`. */
  readonly targetFolder: string;
  readonly name: string;
  /** "float32" is for comparisons; packs are "integer". */
  readonly precision?: "integer" | "float32";
}

export type ImportProgress =
  | { readonly type: "progress"; readonly stage: "weights"; readonly fraction: number }
  | { readonly type: "done"; readonly pack: PackSummary };

/** Bytes a weight file may have: larger ones are awkward to keep and to copy. */
const fileLimit = 44_000_000;

/**
 * Imports a language model. The pack is written into a folder beside its place and renamed when it is complete, so that
 * a failure, a cancel or a power cut leaves no half-written pack.
 * @throws model-file-damaged, architecture-not-supported, not-supported, bad-input, cancelled, disk-full
 */
export async function* importModel(
  input: ImportInput,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress, void, void> {
  throwIfAborted(signal);
  const target = await freeTarget(input);
  const checkpoint = await openCheckpoint(input.source);
  const work = `${target}.importing-${randomBytes(4).toString("hex")}`;
  // Also fires when the consumer stops reading: then nobody waits for the rest.
  const stop = new AbortController();
  const bothSignals = AbortSignal.any([signal, stop.signal]);
  try {
    await mkdir(work);
    const { counted, progress } = countReads(checkpoint.tensors);
    const writing = writeContents(
      { ...checkpoint, tensors: counted },
      { input, folder: work, signal: bothSignals },
    );
    try {
      for await (const fraction of progress(writing)) yield { type: "progress", stage: "weights", fraction };
    } finally {
      stop.abort();
      await writing.catch(() => undefined);
    }
    await writing;
    throwIfAborted(signal);
    await syncFolder(work);
    await rename(work, target);
    await syncFolder(input.targetFolder);
  } catch (thrown) {
    throw diskError(thrown);
  } finally {
    await checkpoint.close();
    await rm(work, { recursive: true, force: true });
  }
  const opened = await openPackFolder(target);
  if (opened.pack.kind !== "language-model")
    throw appError("internal", "The imported pack is of another kind.");
  yield { type: "done", pack: packSummary(opened, opened.pack.language) };
}

async function freeTarget({ targetFolder, name }: ImportInput): Promise<string> {
  if (!/^[a-z0-9][a-z0-9_.-]{0,63}$/i.test(name) || name.endsWith(".")) {
    throw appError("bad-input", "A pack's name is made of letters, digits, dots, dashes and underscores.");
  }
  await mkdir(targetFolder, { recursive: true });
  const target = join(targetFolder, name);
  const exists = await stat(target).then(
    () => true,
    () => false,
  );
  if (exists)
    throw appError("bad-input", `A pack called ${name} exists already. Choose another name or remove it.`);
  return target;
}

async function openCheckpoint(source: string): Promise<Checkpoint> {
  const info = await stat(source).catch((cause: unknown) => {
    throw appError(
      "file-not-found",
      "The model file cannot be opened. Check the path and its permissions.",
      cause,
    );
  });
  return info.isDirectory() ? openHfCheckpoint(source) : openGgufCheckpoint(source);
}

interface WriteOptions {
  readonly input: ImportInput;
  readonly folder: string;
  readonly signal: AbortSignal;
}

async function writeContents(checkpoint: Checkpoint, { input, folder, signal }: WriteOptions): Promise<void> {
  const { config, tensors, tokenizer } = checkpoint;
  const whole = input.precision === "float32";
  const files = new WeightFiles({ folder, stem: "weights", fileLimit: whole ? Infinity : fileLimit });
  try {
    const precision = (source: string): Precision => (whole ? { type: "float32" } : shippedPrecision(source));
    const graphs = await buildDecoderGraphs({ config, writer: { tensors, files, signal }, precision });
    await files.close();
    await writeWhole(join(folder, "embed.onnx"), modelBytes(graphs.embed));
    await writeWhole(join(folder, "decoder.onnx"), modelBytes(graphs.decoder));
  } catch (thrown) {
    await files.abandon();
    throw thrown;
  }
  await writeWhole(join(folder, "tokenizer.json"), jsonBytes(tokenizer.json));
  await writeWhole(join(folder, "tokenizer_config.json"), jsonBytes(tokenizer.config));
  throwIfAborted(signal);
  await writePack(folder, {
    kind: "language-model",
    name: input.name,
    version: "1",
    licence: checkpoint.licence,
    architecture: config.architecture,
    language: {
      vocabulary: config.vocabulary,
      hidden: config.hidden,
      layers: config.layers,
      context_length: config.contextLength,
      embed: "embed.onnx",
      decoder: "decoder.onnx",
      tokenizer: "tokenizer.json",
      tokenizer_config: "tokenizer_config.json",
      stop_tokens: [...checkpoint.stopTokens],
    },
  });
}

/** docs/decisions/weights.md has the table of choices that were measured. */
export function shippedPrecision(source: string): Precision {
  const tokens = source === "model.embed_tokens.weight" || source === "lm_head.weight";
  return tokens
    ? { type: "integer", bits: 6, block: 64, zero: "symmetric" }
    : { type: "integer", bits: 4, block: 32, zero: "shifted" };
}

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes names durable; Windows cannot open a folder and keeps them by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function diskError(thrown: unknown): unknown {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : null;
  if (code === "ENOSPC")
    return appError("disk-full", "The disk is full. Free some space and import again.", thrown);
  if (code === "EROFS" || code === "EACCES") {
    return appError("read-only", "The folder for model packs cannot be written to.", thrown);
  }
  return thrown;
}

interface CountedReads {
  readonly counted: TensorSource;
  /** Fractions of the rows read, until `work` ends one way or the other. */
  readonly progress: (work: Promise<void>) => AsyncGenerator<number, void, void>;
}

function countReads(tensors: TensorSource): CountedReads {
  const total = [...tensors.tensors.values()].reduce((sum, info) => sum + rowCount(info), 0);
  let done = 0;
  let wake: () => void = () => undefined;
  const counted: TensorSource = {
    ...tensors,
    async readRows(name, rows) {
      const values = await tensors.readRows(name, rows);
      done += rows.count;
      wake();
      return values;
    },
  };
  async function* progress(work: Promise<void>): AsyncGenerator<number, void, void> {
    const state = { ended: false };
    const end = () => {
      state.ended = true;
      wake();
    };
    work.then(end, end);
    for (let told = -1; !state.ended;) {
      if (done === told) await new Promise<void>((resolve) => (wake = resolve));
      told = done;
      yield Math.min(done / total, 1);
    }
  }
  return { counted, progress };
}
