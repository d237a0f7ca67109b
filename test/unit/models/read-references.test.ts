import { afterEach, expect, test } from "vitest";
import { bindQuestion } from "../../../models/bind-question.ts";
import { openReferences } from "../../../models/evidence/references.ts";
import type { LoadedPack } from "../../../models/loaded-pack.ts";
import { readReferences } from "../../../models/read-references.ts";
import { normals } from "./tiny-decoder.ts";
import { never } from "./tiny-model.ts";
import { openTinyPack } from "./tiny-pack.ts";

const facts = { modality: "CR", bodyPart: "HAND", view: null };
const asked = { question: "Is there a fracture?", choices: null, facts };
const continuations = ["Yes.", "No."].map((text) => ({ prefix: "", text }));
const open: LoadedPack[] = [];
afterEach(async () => {
  for (const pack of open.splice(0)) await pack.dispose();
});

async function packWithReferences(count: number): Promise<LoadedPack> {
  const pack = await openTinyPack();
  const { width, height } = pack.image;
  const random = normals(5);
  const images = Array.from({ length: count }, (_, index) => ({
    name: `hand-${index}`,
    modality: "CR",
    bodyPart: "HAND",
    input: {
      width,
      height,
      channels: 1 as const,
      pixels: Uint8Array.from({ length: width * height }, () => 128 + 30 * random()),
    },
  }));
  const ready = { ...pack, references: openReferences(images) };
  open.push(ready);
  return ready;
}

/** As reliance asks: the question's own image has been read, then each reference is put in its place. */
async function scoresOf(pack: LoadedPack) {
  const reader = pack.readers.borrow();
  const model = bindQuestion(pack, asked, reader);
  const inputs = pack.references.images.map(({ input }) => input);
  const embeddings = inputs.map(() => pack.references.embeddings);
  const encoded = await model.encode(inputs, never);
  const alternatives = pack.references.images.map((image, i) => [embeddings[i]!.get(image) ?? encoded[i]!]);
  const own = await model.encode([inputs[0]!], never);
  await model.score({ alternatives: [own], continuations }, never);
  const scores = await model.score({ alternatives, continuations, lasting: true }, never);
  await pack.readers.giveBack(reader);
  return scores;
}

test("what was read ahead gives the same scores, to the bit", async () => {
  const plain = await scoresOf(await packWithReferences(4));
  const pack = await packWithReferences(4);
  await readReferences(pack, never);
  expect(pack.readers.kept.size).toBe(4);
  expect(await scoresOf(pack)).toEqual(plain);
  // Nothing was read that had been kept.
  expect(pack.readers.kept.size).toBe(4);
});

test("a stop ends it, and the next time it goes on", async () => {
  const pack = await packWithReferences(4);
  const stop = new AbortController();
  const { encode } = pack.encoder;
  pack.encoder.encode = async (...given) => {
    const encoded = await encode.apply(pack.encoder, given);
    if (pack.readers.kept.size === 2) stop.abort();
    return encoded;
  };
  await expect(readReferences(pack, stop.signal)).rejects.toMatchObject({ code: "cancelled" });
  expect(pack.readers.kept.size).toBe(2);
  pack.encoder.encode = encode;
  await readReferences(pack, never);
  expect(pack.readers.kept.size).toBe(4);
});

test("the prompt that the next question may go on from stays read", async () => {
  const pack = await packWithReferences(4);
  const reader = pack.readers.borrow();
  const parts = [{ type: "text", ids: [1, 2, 3, 4, 5, 6] }] as const;
  await reader.read({ parts, rows: [5] }, never);
  await pack.readers.giveBack(reader);
  await readReferences(pack, never);
  const next = pack.readers.borrow();
  expect((await next.read({ parts, rows: [5] }, never)).reused).toBeGreaterThan(0);
  await pack.readers.giveBack(next);
});
