import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PackCard, PackSummary, PackTrust } from "../../core/model-pack.ts";
import { AppError, throwIfAborted } from "../../core/errors.ts";
import { calibrationFault } from "../evidence/calibration.ts";
import type { GraphSource } from "../runtime/engine.ts";
import type { ModelProto } from "../onnx/onnx-proto.ts";
import { checkGraphReferences, exportedGraphLimit, graphLimit, parseGraph } from "./graph-references.ts";
import type { PackContents } from "./pack-contents.ts";
import {
  checkFiles,
  declaredFile,
  openPackFolder,
  packDamaged,
  readDeclaredFile,
  type OpenedPack,
} from "./pack-files.ts";
import type { Pack, PackLanguage } from "./pack-schema.ts";
import { checkSignature } from "./signature/verify-signature.ts";

/** The pack that is shipped with the app. */
export const embeddedPackName = "meditron-v-nano";

const textFileLimit = 128 * 1024 * 1024;

/** The packs that can be asked, in each folder of `folders`; a folder without a readable pack.json is passed over. */
export async function findPacks(
  folders: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly folder: string; readonly summary: PackSummary }[]> {
  const found: { folder: string; summary: PackSummary }[] = [];
  for (const parent of folders) {
    for (const name of await folderNames(parent)) {
      throwIfAborted(signal);
      const opened = await openIfPack(join(parent, name));
      if (opened !== null) found.push({ folder: opened.folder, summary: opened.summary });
    }
  }
  return found;
}

/** The folder of the language model of this name that packs are built on; null: there is none, or it is a pack itself. */
export async function findLanguagePack(folders: readonly string[], name: string): Promise<string | null> {
  for (const parent of folders) {
    if (!(await folderNames(parent)).includes(name)) continue;
    const { folder, pack } = await openPackFolder(join(parent, name));
    return pack.kind === "language-model" ? folder : null;
  }
  return null;
}

async function folderNames(parent: string): Promise<string[]> {
  try {
    const entries = await readdir(parent, { withFileTypes: true });
    return (
      entries
        // A pack that is being imported is none yet.
        .filter((entry) => entry.isDirectory() && !entry.name.endsWith(".importing"))
        .map((entry) => entry.name)
        .toSorted()
    );
  } catch {
    return [];
  }
}

async function openIfPack(folder: string): Promise<{ folder: string; summary: PackSummary } | null> {
  try {
    const opened = await openPackFolder(folder);
    if (opened.pack.kind === "language-model") return null;
    const owner = (await openBase(opened)) ?? opened;
    return { folder, summary: packSummary(opened, packLanguage(owner.pack)) };
  } catch (thrown) {
    if (thrown instanceof AppError) return null;
    throw thrown;
  }
}

export interface PackCheck {
  readonly type: "progress";
  /** Of the bytes that have a digest. */
  readonly fraction: number;
}

/**
 * Checks a pack folder and its base: schema, every file's size and digest, no links, every reference of a graph inside
 * the pack; and its signature, which speaks for pack.json and through it for all of these (`trust` null: nobody says
 * whose signatures count). Returns what was checked. @throws pack-damaged, pack-not-found, pack-untrusted, cancelled
 */
export async function* checkPack(
  folder: string,
  signal: AbortSignal,
  trust: PackTrust | null = null,
): AsyncGenerator<PackCheck, CheckedPack, void> {
  const opened = await openPackFolder(folder);
  if (trust !== null) await checkSignature(opened, trust);
  const base = await openBase(opened);
  const parts = base === null ? [opened] : [base, opened];
  const total = parts.reduce((sum, part) => sum + packBytes(part.pack), 0);
  let before = 0;
  for (const part of parts) {
    for await (const done of checkFiles(part, signal)) {
      yield { type: "progress", fraction: total === 0 ? 1 : (before + done) / total };
    }
    before += packBytes(part.pack);
  }
  const graphs = await readGraphs(opened, base);
  return { opened, base, graphs };
}

interface PackGraphs {
  readonly embed: GraphSource;
  readonly decoder: GraphSource;
  /** Null: a language model alone. */
  readonly vision: GraphSource | null;
}

export interface CheckedPack {
  readonly opened: OpenedPack;
  readonly base: OpenedPack | null;
  readonly graphs: PackGraphs;
}

/** A pack that can be asked, checked as `checkPack` does. @throws as it does */
export async function readPack(
  folder: string,
  signal: AbortSignal,
  trust: PackTrust | null = null,
): Promise<PackContents> {
  const { opened, base, graphs } = await drain(checkPack(folder, signal, trust));
  const { pack } = opened;
  if (pack.kind !== "vision-language" || graphs.vision === null) {
    throw packDamaged("it is a language model without an image encoder");
  }
  const owner = base ?? opened;
  const language = packLanguage(owner.pack);
  const config = await readJson(owner, language.tokenizer_config);
  return {
    summary: packSummary(opened, language),
    folder,
    graphs: { ...graphs, vision: graphs.vision },
    ...(language.layout === undefined ? {} : { layout: language.layout }),
    vocabulary: language.vocabulary,
    image: pack.image,
    imageToken: pack.image_token,
    prompt: pack.prompt,
    tokenizer: { json: await readJson(owner, language.tokenizer), config },
    chatTemplate: chatTemplate(config),
    stopTokens: language.stop_tokens,
    references: pack.references.map((reference) => ({
      name: reference.name,
      modality: reference.modality,
      bodyPart: reference.body_part,
      file: join(folder, declaredFile(opened, reference.file).path),
    })),
    calibration: pack.calibration,
  };
}

/** A checked language model by itself. @throws as `checkPack` does */
export async function readLanguagePack(folder: string, signal: AbortSignal, trust: PackTrust | null) {
  const { opened, graphs } = await drain(checkPack(folder, signal, trust));
  const { vocabulary, layout, context_length: contextLength } = packLanguage(opened.pack);
  const { name, version } = opened.pack;
  return {
    summary: { name, version, digest: opened.digest },
    source: { embed: graphs.embed, decoder: graphs.decoder, layout, vocabulary, contextLength },
  };
}

async function drain(check: AsyncGenerator<PackCheck, CheckedPack, void>): Promise<CheckedPack> {
  for (;;) {
    const step = await check.next();
    if (step.done === true) return step.value;
  }
}

/** The language model that the pack is built on; null: its own. @throws pack-damaged */
export async function openBase({ folder, pack }: OpenedPack): Promise<OpenedPack | null> {
  if (pack.kind !== "vision-language" || pack.base === null) return null;
  const base = await openPackFolder(join(dirname(folder), pack.base.name)).catch((cause: unknown) => {
    throw packDamaged(`its language model ${pack.base?.name} is missing or damaged`, cause);
  });
  if (base.digest !== pack.base.digest || base.pack.kind !== "language-model") {
    throw packDamaged(`its language model ${pack.base.name} is not the one it was made with`);
  }
  return base;
}

async function readGraphs(opened: OpenedPack, base: OpenedPack | null): Promise<PackGraphs> {
  const { pack } = opened;
  const owner = base ?? opened;
  const language = packLanguage(owner.pack);
  const own = pack.kind === "vision-language" ? pack.decoder : null;
  return {
    embed: await readGraph(owner, language.embed, owner),
    decoder:
      own === null ? await readGraph(owner, language.decoder, owner) : await readGraph(opened, own, owner),
    vision: pack.kind === "vision-language" ? await readGraph(opened, pack.vision, opened) : null,
  };
}

/** The decoder's graph, checked as all graphs are; its weights are not read. @throws pack-damaged, pack-not-found */
export async function readDecoderGraph(folder: string): Promise<ModelProto> {
  const opened = await openPackFolder(folder);
  const { decoder } = await readGraphs(opened, await openBase(opened));
  if (decoder.type !== "bytes") throw packDamaged("its graph is not read");
  return parseGraph(decoder.bytes);
}

/** A graph file of one pack whose weights are files of `data`, itself or its base. */
async function readGraph(opened: OpenedPack, path: string, data: OpenedPack): Promise<GraphSource> {
  const exported = data.pack.language?.layout !== undefined;
  const bytes = await readDeclaredFile(opened, path, exported ? exportedGraphLimit : graphLimit);
  checkGraphReferences(parseGraph(bytes), new Map(data.pack.files.map((file) => [file.path, file.bytes])));
  return { type: "bytes", bytes, dataFolder: data.folder };
}

async function readJson(opened: OpenedPack, path: string): Promise<object> {
  const bytes = await readDeclaredFile(opened, path, textFileLimit);
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    throw packDamaged(`${path} is not JSON`, cause);
  }
  throw packDamaged(`${path} is not a JSON object`);
}

/** Out of tokenizer_config.json. @throws pack-damaged */
export function chatTemplate(config: object): PackContents["chatTemplate"] {
  const fields = new Map<string, unknown>(Object.entries(config));
  const source = fields.get("chat_template");
  if (typeof source !== "string") throw packDamaged("its tokenizer has no chat template");
  const tokens: Record<string, string> = {};
  for (const name of ["bos_token", "eos_token", "unk_token", "pad_token"]) {
    const token = fields.get(name);
    // A text, or an object that holds it among rules for matching it.
    const text: unknown =
      typeof token === "object" ? (token as { content?: unknown } | null)?.content : token;
    if (typeof text === "string") tokens[name] = text;
  }
  return { source, tokens };
}

function packLanguage(pack: Pack): PackLanguage {
  if (pack.language === null) throw packDamaged("its language model is missing");
  return pack.language;
}

function packBytes(pack: Pack): number {
  return pack.files.reduce((sum, file) => sum + file.bytes, 0);
}

/** What the app shows of a pack whose language model may be its base's. */
export function packSummary({ pack, digest }: OpenedPack, language: PackLanguage): PackSummary {
  const common = {
    name: pack.name,
    version: pack.version,
    digest,
    licence: pack.licence,
    architecture: pack.architecture,
    bytes: packBytes(pack),
    embedded: pack.name === embeddedPackName,
    contextLength: language.context_length,
  };
  if (pack.kind === "language-model") {
    return { ...common, calibrated: false, maxViews: 0, intendedFor: [], card: languageCard(pack.name) };
  }
  return {
    ...common,
    calibrated: pack.calibration !== null && calibrationFault(pack.calibration) === null,
    maxViews: pack.max_views,
    intendedFor: pack.intended_for,
    card: pack.card,
  };
}

function languageCard(title: string): PackCard {
  return {
    title,
    summary: "A language model without an image encoder: packs that answer about images are built on it.",
    researchUse: "Research use only.",
    trainingData: [],
    split: "",
    figures: [],
    knownFailures: [],
  };
}
