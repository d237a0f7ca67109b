import { chmod, copyFile, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import type { IntendedInput } from "../../core/model-pack.ts";
import { addAdapter } from "../import/adapter-graph.ts";
import { openByteSource } from "../import/byte-source.ts";
import { modelBytes } from "../import/graph-builder.ts";
import { readSafetensors } from "../import/safetensors-reader.ts";
import type { ModelProto } from "../onnx/onnx-proto.ts";
import { graphLimit, parseGraph } from "./graph-references.ts";
import { nanoCard } from "./nano-card.ts";
import { openPackFolder, readDeclaredFile } from "./pack-files.ts";
import { embeddedPackName } from "./read-pack.ts";
import { writePack } from "./write-pack.ts";

export interface NanoParts {
  /** The folder that models/training/export.py and card.py wrote. */
  readonly artefacts: string;
  /** The language model's pack, a sibling of `target`. */
  readonly base: string;
  /** The pack's folder; its `references/` are there already. */
  readonly target: string;
  readonly version: string;
}

const artefactFiles = ["vision.onnx", "vision.bin"] as const;

/**
 * What the embedded pack was trained for, in DICOM's words (Body Part Examined, View Position). The limb parts are
 * those of the training images' four regions (hand, leg, hip, shoulder; BODY_PARTS of models/training/questions.py).
 */
const intendedFor: readonly IntendedInput[] = [
  {
    name: "Limb radiographs",
    modalities: ["CR", "DX", "RG"],
    bodyParts: [
      "HAND",
      "FINGER",
      "WRIST",
      "FOREARM",
      "ARM",
      "LEG",
      "KNEE",
      "ANKLE",
      "FOOT",
      "HIP",
      "PELVIS",
      "FEMUR",
      "SHOULDER",
      "CLAVICLE",
      "HUMERUS",
    ],
    views: [],
  },
  {
    name: "Chest radiographs, frontal",
    modalities: ["CR", "DX", "RG"],
    bodyParts: ["CHEST"],
    views: ["PA", "AP"],
  },
  { name: "Breast ultrasound", modalities: ["US"], bodyParts: ["BREAST"], views: [] },
];

const referencesSchema = v.array(
  v.object({
    file: v.string(),
    modality: v.string(),
    body_part: v.string(),
    attribution: v.optional(v.string()),
  }),
);

/**
 * Puts the embedded pack together: encoder and projector as exported, the base's decoder graph with the adapter, the
 * card. The calibration of an earlier pack is dropped: it belongs to other weights. Returns the digest of pack.json.
 */
export async function assembleNano({ artefacts, base, target, version }: NanoParts): Promise<string> {
  const opened = await openPackFolder(base);
  if (opened.pack.kind !== "language-model")
    throw appError("bad-input", "The base is not a language model pack.");
  const language = opened.pack.language;
  const decoder = parseGraph(await readDeclaredFile(opened, language.decoder, graphLimit));
  const card = nanoCard(await readJson(join(artefacts, "card.json")));
  const image = await readJson(join(artefacts, "image.json"));
  const references = v.parse(referencesSchema, await readJson(join(target, "references/references.json")));

  await removeOld(target);
  for (const name of artefactFiles) {
    await copyFile(join(artefacts, name), join(target, name));
    // The exporter's files are for their owner alone.
    await chmod(join(target, name), 0o644);
  }
  await writeFile(join(target, "decoder.onnx"), modelBytes(await withAdapter(decoder, artefacts)));
  return writePack(target, {
    kind: "vision-language",
    name: embeddedPackName,
    version,
    licence: "Apache-2.0",
    architecture: "EfficientNet-Lite0, projector, SmolLM2-135M with LoRA",
    base: { name: basename(base), path: `../${basename(base)}`, digest: opened.digest },
    language: null,
    decoder: "decoder.onnx",
    vision: "vision.onnx",
    // Checked by the schema of pack.json.
    image: image as never,
    image_token: "<|image|>",
    max_views: 1,
    intended_for: [...intendedFor],
    references: references.map(({ file, modality, body_part }) => ({
      name: file.replace(/\.png$/, ""),
      modality,
      body_part,
      file: `references/${file}`,
    })),
    calibration: null,
    card,
  });
}

async function withAdapter(decoder: ModelProto, artefacts: string): Promise<ModelProto> {
  const adapter = await readSafetensors(await openByteSource(join(artefacts, "adapter.safetensors")));
  try {
    return await addAdapter(decoder, adapter);
  } finally {
    await adapter.close();
  }
}

/** Everything but the references, so that a file of an earlier version does not stay in the pack. */
async function removeOld(target: string): Promise<void> {
  for (const name of await readdir(target)) {
    if (name !== "references") await rm(join(target, name), { recursive: true });
  }
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, "utf8"));
}
