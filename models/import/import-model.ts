import { mkdir, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { PackSummary } from "../../core/model-pack.ts";
import { openPackFolder } from "../pack/pack-files.ts";
import { packSummary } from "../pack/read-pack.ts";
import { baseConfigs } from "./base-configs.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { countReads, type ImportStep } from "./count-reads.ts";
import { adoptExport } from "./exported/adopt-export.ts";
import { findExport } from "./exported/export-files.ts";
import { openGgufCheckpoint } from "./gguf-checkpoint.ts";
import { openHfCheckpoint } from "./hf-checkpoint.ts";
import type { KeyValuePrecision, PackPrecision } from "./pack-precision.ts";
import { withAdapter } from "./lora-adapter.ts";
import { claimWorkFolder, removeWorkFolder, touchWorkFolder } from "./work-folder.ts";
import { writeContents, type WriteOptions } from "./write-contents.ts";

export interface ImportInput {
  /** A GGUF file, or a folder as HF transformers writes it. */
  readonly source: string;
  /** The folder that holds packs; the new one is a folder in it, called `name`. */
  readonly targetFolder: string;
  readonly name: string;
  /** "float32" is for comparisons; packs are "integer". */
  readonly precision?: PackPrecision;
  /** What the decoder keeps keys and values as; absent: float32. */
  readonly kvCache?: KeyValuePrecision | undefined;
  /** A file with the settings of models that the checkpoint only names (base-configs.ts). */
  readonly baseConfig?: string | null;
  /** A folder with a LoRA adapter as PEFT writes it, which is merged into the language model. */
  readonly adapter?: string | null | undefined;
}

export type ImportProgress =
  ({ readonly type: "progress" } & ImportStep) | { readonly type: "done"; readonly pack: PackSummary };

/**
 * Imports a model. The pack is written into a folder beside its place and renamed when it is complete, so that a
 * failure, a cancel or a power cut leaves no half-written pack. What a power cut left is gone on with the next time.
 * @throws model-file-damaged, architecture-not-supported, not-supported, bad-input, cancelled, disk-full
 */
export async function* importModel(
  input: ImportInput,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress, void, void> {
  throwIfAborted(signal);
  if (input.precision === "half" && input.kvCache === "int8") {
    throw appError(
      "not-supported",
      "16-bit weights are for a graphics card, a cache of 8 bits for the processor. Choose one of both.",
    );
  }
  const target = await freeTarget(input);
  const writer = await openWriter(input);
  const { source, name, precision = "integer", baseConfig = null, kvCache, adapter = null } = input;
  let work: string | null = null;
  try {
    work = await claimWorkFolder(target, { source, precision, baseConfig, adapter });
    for await (const step of writer.write({ name, precision, kvCache, folder: work, signal })) {
      await touchWorkFolder(work);
      yield { type: "progress", ...step };
    }
    throwIfAborted(signal);
    await syncFolder(work);
    await rename(work, target);
    await syncFolder(input.targetFolder);
  } catch (thrown) {
    throw diskError(thrown);
  } finally {
    await writer.close();
    if (work !== null) await removeWorkFolder(work);
  }
  const opened = await openPackFolder(target);
  if (opened.pack.language === null) throw appError("internal", "The imported pack has no language model.");
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

/** Fills the empty folder of a pack. */
interface PackWriter {
  write(options: WriteOptions): AsyncGenerator<ImportStep, void, void>;
  close(): Promise<void>;
}

async function openWriter(input: ImportInput): Promise<PackWriter> {
  const { source, baseConfig = null, adapter = null } = input;
  const info = await stat(source).catch((cause: unknown) => {
    throw appError(
      "file-not-found",
      "The model file cannot be opened. Check the path and its permissions.",
      cause,
    );
  });
  if (!info.isDirectory()) return checkpointWriter(await adapted(await openGgufCheckpoint(source), adapter));
  const bases = await baseConfigs(baseConfig);
  const exported = await findExport(source);
  if (exported === null)
    return checkpointWriter(await adapted(await openHfCheckpoint(source, bases), adapter));
  if (adapter !== null) {
    throw appError(
      "bad-input",
      "An ONNX export is taken over as it is: no adapter can be merged into it. Import the safetensors folder.",
    );
  }
  if (input.kvCache === "int8") {
    throw appError(
      "not-supported",
      "An export is used as it is: import the checkpoint for a cache of 8 bits.",
    );
  }
  if (input.precision === "half") {
    throw appError("not-supported", "An export is used as it is: import the checkpoint for 16-bit weights.");
  }
  return {
    async *write({ name, folder, signal }) {
      for await (const fraction of adoptExport(exported, { source, name, folder, bases, signal })) {
        yield { stage: "weights", fraction };
      }
    },
    close: async () => undefined,
  };
}

async function adapted(checkpoint: Checkpoint, folder: string | null): Promise<Checkpoint> {
  if (folder === null) return checkpoint;
  try {
    const tensors = await withAdapter(checkpoint.tensors, folder, checkpoint.config);
    return {
      ...checkpoint,
      adapted: true,
      tensors,
      async close() {
        await tensors.close();
        await checkpoint.close();
      },
    };
  } catch (thrown) {
    await checkpoint.close();
    throw thrown;
  }
}

function checkpointWriter(checkpoint: Checkpoint): PackWriter {
  return {
    async *write(options) {
      // Also fires when the consumer stops reading: then nobody waits for the rest.
      const stop = new AbortController();
      const signal = AbortSignal.any([options.signal, stop.signal]);
      const { counted, cacheMeasured, progress } = countReads(checkpoint);
      const writing = writeContents(counted, { ...options, signal, cacheMeasured });
      try {
        yield* progress(writing);
      } finally {
        stop.abort();
        await writing.catch(() => undefined);
      }
      await writing;
    },
    close: () => checkpoint.close(),
  };
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
