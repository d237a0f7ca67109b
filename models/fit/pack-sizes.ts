import { dirname, join } from "node:path";
import { openPackFolder, type OpenedPack } from "../pack/pack-files.ts";
import { type GraphFacts, noFacts, readGraphFacts } from "./graph-facts.ts";

/** What the files of a pack and of its base say about memory. Bytes, pixels and tokens. */
export interface PackSizes extends GraphFacts {
  /** The decoder's graph without its weights. */
  readonly graphBytes: number;
  /** Weights that lie in the graph file itself, as in exports. */
  readonly inlineBytes: number;
  /** Files with weights that are no language model's: the image encoder's. */
  readonly visionBytes: number;
  /** Files with the language model's weights. */
  readonly languageBytes: number;
  readonly contextLength: number;
  readonly hidden: number;
  /** Null: a language model alone. */
  readonly image: { readonly width: number; readonly height: number; readonly tokens: number } | null;
  readonly references: number;
}

/** A graph with more than that holds weights. */
const plainGraph = 64 * 1024 * 1024;

/** Reads pack.json and the heads of the decoder's graph; nothing is checked, loading does that. @throws pack-damaged */
export async function readPackSizes(folder: string): Promise<PackSizes> {
  const opened = await openPackFolder(folder);
  const base = await openBase(opened);
  const owner = base ?? opened;
  const { language } = owner.pack;
  const vision = opened.pack.kind === "vision-language" ? opened.pack : null;
  const ownDecoder = vision?.decoder ?? null;
  const decoder = {
    owner: ownDecoder === null ? owner : opened,
    path: ownDecoder ?? language?.decoder ?? "",
  };
  const facts = await readGraphFacts(join(decoder.owner.folder, decoder.path)).catch(() => noFacts);
  const graph = fileBytes(decoder.owner, (name) => name === decoder.path);
  const inline = graph > plainGraph ? graph : 0;
  const weights = (pack: OpenedPack) => fileBytes(pack, isWeights);
  return {
    ...facts,
    graphBytes: graph - inline,
    inlineBytes: inline,
    visionBytes: base === null ? fileBytes(opened, (name) => /^vision.*\.bin$/.test(name)) : weights(opened),
    languageBytes: weights(owner),
    contextLength: language?.context_length ?? 0,
    hidden: language?.hidden ?? 0,
    image: vision?.image ?? null,
    references: vision?.references.length ?? 0,
  };
}

async function openBase({ folder, pack }: OpenedPack): Promise<OpenedPack | null> {
  if (pack.kind !== "vision-language" || pack.base === null) return null;
  return openPackFolder(join(dirname(folder), pack.base.name));
}

function isWeights(name: string): boolean {
  return !/\.(?:onnx|json|png|model)$/.test(name);
}

function fileBytes({ pack }: OpenedPack, wanted: (name: string) => boolean): number {
  return pack.files.reduce((sum, { path, bytes }) => (wanted(path) ? sum + bytes : sum), 0);
}
