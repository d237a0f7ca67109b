import type { PackSummary } from "../../../core/model-pack.ts";
import type { Question } from "../../../core/question.ts";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../core/study.ts";
import type { AnswerRequest } from "../../../models/api.ts";
import type { Packs } from "../../../models/answer.ts";
import { openReferences } from "../../../models/evidence/references.ts";
import { ImageEncoder } from "../../../models/image/image-encoder.ts";
import { GraphBuilder, ints, modelBytes } from "../../../models/import/graph-builder.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { OrtLanguageModel } from "../../../models/runtime/language-model.ts";
import { ReaderPool } from "../../../models/runtime/reader-pool.ts";
import { OrtVisionModel } from "../../../models/runtime/vision-model.ts";
import { ChatTemplate } from "../../../models/text/chat-template.ts";
import { frameOf } from "../../fixtures/sample-frame.ts";
import { normals, tiny, tinyDecoder, tinyEmbedding } from "./tiny-decoder.ts";
import { tinyTokenizer } from "./tiny-tokenizer.ts";

const size = 64;
const grid = 4;
const cpu = { provider: null, threads: 2 } as const;

/** Mean grey of each cell of a 4 by 4 grid, times a random direction. */
export function tinyVision(): Uint8Array {
  const graph = new GraphBuilder("tiny_vision");
  const random = normals(21);
  graph.input("pixel_values", "float32", ["n", 3, size, size]);
  const cell = size / grid;
  graph.node({
    name: "cells",
    op: "AveragePool",
    inputs: ["pixel_values"],
    attributes: { kernel_shape: ints([cell, cell]), strides: ints([cell, cell]) },
  });
  const shape = graph.constant(
    { name: "shape", type: "int64", shape: [3] },
    BigInt64Array.of(0n, 3n, BigInt(grid * grid)),
  );
  graph.node({ name: "rows", op: "Reshape", inputs: ["cells", shape] });
  graph.node({ name: "turned", op: "Transpose", inputs: ["rows"], attributes: { perm: ints([0, 2, 1]) } });
  const weight = graph.constant(
    { name: "weight", type: "float32", shape: [3, tiny.hidden] },
    Float32Array.from({ length: 3 * tiny.hidden }, random),
  );
  graph.node({ name: "image_embeddings", op: "MatMul", inputs: ["turned", weight] });
  graph.output("image_embeddings", "float32", ["n", grid * grid, tiny.hidden]);
  return modelBytes(graph.model());
}

/** Three special tokens, 256 bytes, six merges. */
export const tinyVocabulary = 265;

export const tinyTemplate =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const bytes = (graph: Uint8Array) => ({ type: "bytes", bytes: graph, dataFolder: null }) as const;

export const tinySummary: PackSummary = {
  name: "tiny",
  version: "1.0.0",
  digest: "0".repeat(64),
  licence: "Apache-2.0",
  architecture: "tiny",
  bytes: 1,
  embedded: true,
  calibrated: false,
  contextLength: tiny.context,
  maxViews: 2,
  intendedFor: [{ name: "hand radiographs", modalities: ["CR", "DX"], bodyParts: ["HAND"], views: [] }],
  card: {
    title: "Tiny",
    summary: "Random weights.",
    researchUse: "For tests.",
    trainingData: [],
    split: "",
    figures: [],
    knownFailures: [],
  },
};

/** A pack of random weights whose answers are bytes without sense, but the same ones each time. */
export async function openTinyPack(): Promise<LoadedPack> {
  const tokenizer = tinyTokenizer();
  const image = {
    width: size,
    height: size,
    pad_value: 0,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    channels: "gray-replicated",
  } as const;
  const vocabulary = tinyVocabulary;
  const decoder = bytes(tinyDecoder({ vocabulary }));
  const embed = bytes(tinyEmbedding({ vocabulary }));
  const language = await OrtLanguageModel.open(
    { embed, decoder, vocabulary, contextLength: tiny.context },
    cpu,
  );
  const vision = await OrtVisionModel.open(
    { graph: bytes(tinyVision()), width: size, height: size, tokens: grid * grid, hidden: tiny.hidden },
    cpu,
  );
  const readers = new ReaderPool(language);
  return {
    summary: tinySummary,
    folder: "",
    provider: "cpu",
    moves: 0,
    notes: [],
    language,
    readers,
    encoder: new ImageEncoder(vision, image),
    image,
    imageToken: "<|image|>",
    tokenizer,
    template: new ChatTemplate(tinyTemplate, {}),
    stopIds: new Set([tokenizer.idOf("<|im_end|>")!]),
    references: openReferences([]),
    calibration: null,
    async dispose() {
      await readers.dispose();
      await vision.dispose();
      await language.dispose();
    },
  };
}

export function packsOf(pack: LoadedPack): Packs {
  return {
    find: async () => ({ folder: "", summary: pack.summary }),
    lease: async () => ({ pack, waitedMs: 0, release: () => undefined }),
  };
}

/** A radiograph of noise, `seed` says which. */
export function tinyRequest(question: Partial<Question> = {}, seed = 1): AnswerRequest {
  const random = normals(seed);
  const values = Uint8Array.from({ length: 4800 }, () => Math.max(0, Math.min(255, 128 + 40 * random())));
  const frame = frameOf(values, {
    rows: 80,
    columns: 60,
    voiWindows: [{ center: 128, width: 256, function: "LINEAR", explanation: "" }],
  });
  const view = {
    source: { file: "x.dcm", sha256: "0" },
    frame: 1,
    voi: null,
    invert: false,
    crop: null,
    turn: { flip: false, rotate: 0 as const },
    regions: [],
  };
  const summary = {
    studyInstanceUid: "1.2" as StudyUid,
    seriesInstanceUid: "1.3" as SeriesUid,
    sopInstanceUid: "1.4" as InstanceUid,
    frame: 1,
    frameCount: 1,
    patientName: "",
    patientId: "",
    studyDate: "",
    studyDescription: "",
    seriesDescription: "",
    seriesNumber: null,
    instanceNumber: null,
    laterality: "",
    phantom: false,
    facts: { modality: "DX", bodyPart: "HAND", view: null },
  };
  return {
    id: "answer-1",
    views: [{ view, frame, summary }],
    question: {
      question: "Is there a fracture?",
      views: [view],
      choices: null,
      pack: null,
      modality: null,
      seed: 0,
      temperature: 0,
      topP: 1,
      maxTokens: 24,
      ground: false,
      groundBudgetSeconds: 30,
      unseenSlices: 0,
      ...question,
    },
  };
}
