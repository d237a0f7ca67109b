import { readFile } from "node:fs/promises";
import { decode } from "fast-png";
import { appError } from "../core/errors.ts";
import type { PackSummary, PackTrust } from "../core/model-pack.ts";
import type { ModelInput } from "./api.ts";
import { openReferences, type ReferenceImage } from "./evidence/references.ts";
import { readPackSizes } from "./fit/pack-sizes.ts";
import { ImageEncoder } from "./image/image-encoder.ts";
import { placeContent } from "./image/mapping.ts";
import { fillInput } from "./image/prepare-view.ts";
import type { Picture } from "./image/picture.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import type { PackContents } from "./pack/pack-contents.ts";
import { readPack } from "./pack/read-pack.ts";
import { openModels } from "./runtime/open-models.ts";
import type { ChosenProvider } from "./runtime/providers.ts";
import { ReaderPool } from "./runtime/reader-pool.ts";
import { ChatTemplate } from "./text/chat-template.ts";
import { TextTokenizer } from "./text/tokenizer.ts";

/** A pack in one of the pack folders, as its pack.json describes it. */
export interface InstalledPack {
  readonly folder: string;
  readonly summary: PackSummary;
  /** Whose signatures count for it; absent: nobody's, it is not asked for one. */
  readonly trust?: PackTrust | null;
}

/** Checks the files of a pack and makes it ready to answer. @throws pack-damaged, out-of-memory, model-failed */
export async function openPack(
  { folder, trust = null }: InstalledPack,
  provider: ChosenProvider,
  signal: AbortSignal,
): Promise<LoadedPack> {
  const contents = await readPack(folder, signal, trust);
  const tokenizer = new TextTokenizer(contents.tokenizer.json, contents.tokenizer.config);
  const template = new ChatTemplate(contents.chatTemplate.source, contents.chatTemplate.tokens);
  const stopIds = new Set(contents.stopTokens.map((token) => stopId(tokenizer, token)));
  const images = await Promise.all(contents.references.map((one) => readReference(one, contents.image)));
  const references = openReferences(images);
  let encoder: ImageEncoder | null = null;
  const { width, height, tokens } = contents.image;
  const models = await openModels(provider, {
    digest: contents.summary.digest,
    weightBytes: async () => (await readPackSizes(folder)).languageBytes,
    language: {
      embed: contents.graphs.embed,
      decoder: contents.graphs.decoder,
      layout: contents.layout,
      vocabulary: contents.vocabulary,
      contextLength: contents.summary.contextLength,
    },
    vision: { graph: contents.graphs.vision, width, height, tokens },
    imagesMoved: () => {
      encoder?.forget();
      references.embeddings.clear();
    },
  });
  const { language, vision } = models;
  const readers = new ReaderPool(language);
  encoder = new ImageEncoder(vision, contents.image);
  const warming = warmUp(encoder, images);
  return {
    summary: contents.summary,
    folder,
    get provider() {
      return models.provider;
    },
    get moves() {
      return models.moves;
    },
    notes: models.notes,
    language,
    readers,
    encoder,
    image: contents.image,
    imageToken: contents.imageToken,
    prompt: contents.prompt,
    tokenizer,
    template,
    stopIds,
    references,
    calibration: contents.calibration,
    async dispose() {
      await warming.stop();
      await readers.dispose();
      await vision.dispose();
      await language.dispose();
    },
  };
}

/** Encodes the references while nobody waits: every answer is measured against some of them. */
function warmUp(encoder: ImageEncoder, references: readonly ReferenceImage[]): { stop(): Promise<void> } {
  const controller = new AbortController();
  const work = (async () => {
    // One at a time, so that a question never waits for more than one.
    for (const { input } of references) await encoder.encode([input], controller.signal);
  })().catch(() => undefined);
  return {
    async stop() {
      controller.abort();
      await work;
    },
  };
}

function stopId(tokenizer: TextTokenizer, token: string): number {
  const id = tokenizer.idOf(token);
  if (id === null)
    throw appError("pack-damaged", `The model pack's tokenizer does not know its end token ${token}.`);
  return id;
}

/** A reference image takes the same way into the model as an image that is asked about. */
async function readReference(
  { name, modality, bodyPart, file }: PackContents["references"][number],
  spec: PackContents["image"],
): Promise<ReferenceImage> {
  return { name, modality, bodyPart, input: referenceInput(await readPng(file), spec) };
}

function referenceInput(picture: Picture, spec: PackContents["image"]): ModelInput {
  return fillInput(picture, placeContent(picture, spec), spec);
}

async function readPng(file: string): Promise<Picture> {
  try {
    const { width, height, channels, data } = decode(await readFile(file));
    if (!(data instanceof Uint8Array) || (channels !== 1 && channels !== 3))
      throw new Error("not 8 bit grey or RGB");
    return { width, height, channels, pixels: data };
  } catch (cause) {
    throw appError(
      "pack-damaged",
      "A reference image of the model pack cannot be read. Install the pack again.",
      cause,
    );
  }
}
