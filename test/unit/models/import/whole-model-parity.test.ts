import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { placeContent } from "../../../../models/image/mapping.ts";
import { fillInput, normalisePixels } from "../../../../models/image/prepare-view.ts";
import { readPack } from "../../../../models/pack/read-pack.ts";
import type { PackContents } from "../../../../models/pack/pack-contents.ts";
import { OrtLanguageModel } from "../../../../models/runtime/language-model.ts";
import { PromptReader, type PromptPart } from "../../../../models/runtime/prompt-reader.ts";
import { OrtVisionModel } from "../../../../models/runtime/vision-model.ts";
import {
  fixtures,
  importWholeModel,
  never,
  relativeDifference,
  temporaryFolder,
  sayGreedily,
} from "./imported-language.ts";

/** test/fixtures/models/make-whole-model-fixtures.py: what HF transformers computes from the same files. */
interface Expected {
  readonly image: { readonly width: number; readonly height: number; readonly rgb: string };
  /** float32 [3, height, width], base64 */
  readonly pixels: string;
  /** float32 [tokens, hidden], base64 */
  readonly embeddings: string;
  /** Token ids before and behind the image. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly rows: readonly number[];
  readonly logits: string;
  readonly greedy: readonly number[];
}

const models = path.join(fixtures, "whole-models");
const names = (await readdir(models)).toSorted();
const cpu = { provider: null, threads: 1 } as const;

function floats(text: string): Float32Array {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

describe.each(names)("an import of the whole model %s", (name) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let pack: PackContents;
  let expected: Expected;
  let vision: OrtVisionModel;
  let language: OrtLanguageModel;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const imported = await importWholeModel(name, folder.path);
    expected = JSON.parse(await readFile(path.join(imported.source, "expected.json"), "utf8")) as Expected;
    pack = await readPack(imported.pack, never);
    language = await OrtLanguageModel.open(
      { ...pack.graphs, vocabulary: pack.vocabulary, contextLength: pack.summary.contextLength },
      cpu,
    );
    const { width, height, tokens } = pack.image;
    vision = await OrtVisionModel.open(
      { graph: pack.graphs.vision, width, height, tokens, hidden: language.hidden },
      cpu,
    );
  });
  afterAll(async () => {
    await vision?.dispose();
    await language?.dispose();
    await folder.remove();
  });

  it("prepares an image as HF's Pillow processor does, within one level", () => {
    const { width, height, rgb } = expected.image;
    const picture = {
      width,
      height,
      channels: 3 as const,
      pixels: new Uint8Array(Buffer.from(rgb, "base64")),
    };
    const input = fillInput(picture, placeContent(picture, pack.image), pack.image);
    const ours = normalisePixels([input], pack.image);
    const theirs = floats(expected.pixels);
    expect(ours.length).toBe(theirs.length);
    let worst = 0;
    for (const [i, value] of ours.entries()) {
      const std = pack.image.std[Math.floor(i / (ours.length / 3))] ?? 1;
      worst = Math.max(worst, Math.abs(value - (theirs[i] as number)) * std);
    }
    if (process.env["PARITY_FIGURES"] !== undefined)
      console.log(`${name} pixels ${(worst * 255).toFixed(3)} levels`);
    expect(worst * 255).toBeLessThan(1.001);
  });

  it("gives HF transformers' image embeddings within 1e-3", async () => {
    const ours = await vision.encode(floats(expected.pixels), 1, never);
    const worst = relativeDifference(ours, floats(expected.embeddings));
    if (process.env["PARITY_FIGURES"] !== undefined)
      console.log(`${name} embeddings ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
  });

  it("gives HF transformers' logits within 1e-3 around the image, and its greedy tokens", async () => {
    const values = floats(expected.embeddings);
    const image = { tokens: vision.tokens, hidden: language.hidden, values };
    const prompt: PromptPart[] = [
      { type: "text", ids: expected.before },
      { type: "image", image },
      { type: "text", ids: expected.after },
    ];
    const reader = new PromptReader(language);
    const { logits } = await reader.read({ parts: prompt, rows: expected.rows }, never);
    const worst = relativeDifference(logits, floats(expected.logits));
    if (process.env["PARITY_FIGURES"] !== undefined) console.log(`${name} logits ${worst.toExponential(1)}`);
    expect(worst).toBeLessThan(1e-3);
    const count = expected.greedy.length;
    const said = await sayGreedily(reader, { logits, vocabulary: language.vocabulary, count });
    await reader.dispose();
    expect(said).toEqual(expected.greedy);
  });
});
