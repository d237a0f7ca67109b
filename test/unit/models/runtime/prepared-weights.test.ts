import { link, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createInferenceService } from "../../../../models/inference-service.ts";
import type { LanguageModel } from "../../../../models/runtime/backend.ts";
import { openPreparedLanguage } from "../../../../models/runtime/open-prepared.ts";
import { PreparedWeights, processorName } from "../../../../models/runtime/prepared-weights.ts";
import { probe, probeDecoder, probeEmbeddings } from "../../../../models/runtime/probe-graph.ts";
import { openCRuntime, type Runtime, runtimeOpeners } from "../../../../models/runtime/runtime.ts";
import { cpu, never } from "../tiny-model.ts";
import { tinyRequest } from "../tiny-pack.ts";
import { writeTinyPack } from "../tiny-pack-folder.ts";

const digest = "ab".repeat(32);
const source = {
  embed: null,
  decoder: { type: "bytes", bytes: probeDecoder(), dataFolder: null },
  vocabulary: probe.vocabulary,
  contextLength: probe.context,
} as const;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-prepared-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const machine = { version: "1.30.0", processor: "one" };
const weightsOf = (changed: Partial<typeof machine> = {}) =>
  new PreparedWeights({ folder, ...machine, ...changed });

/** Opens as a pack is opened and says whether the weights were ready. */
async function opened(
  weights: PreparedWeights,
  pack = digest,
): Promise<{ model: LanguageModel; ready: boolean }> {
  let ready = true;
  const usual = await openCRuntime();
  const runtime: Runtime = {
    ...usual,
    openLanguage: (given, options) => {
      ready &&= given.decoder.type === "file";
      return usual.openLanguage(given, options);
    },
  };
  const prepared = { weights, digest: pack, bytes: async () => 1000 };
  const model = await openPreparedLanguage(runtime, { source, options: cpu }, prepared);
  expect(await building()).toEqual([]);
  return { model, ready };
}

async function logitsOf(model: LanguageModel): Promise<Float32Array> {
  const cache = model.createCache();
  const first = await model.forward({ cache, embeddings: probeEmbeddings(40), rows: [0, 39] }, never);
  const next = await model.forward({ cache, embeddings: probeEmbeddings(1), rows: [0] }, never);
  await cache.dispose();
  await model.dispose();
  return Float32Array.of(...first, ...next);
}

const names = async () =>
  (await readdir(folder).catch(() => [] as string[])).filter((name) => name !== "building-aside");
const building = async () => (await names()).filter((name) => name.startsWith("building-"));
const entries = async () => (await names()).filter((name) => !name.startsWith("building-"));
const fileOf = async (name: string) => path.join(folder, (await entries())[0]!, name);

describe("decoders that were prepared for this machine", () => {
  test("are written by the first loading and used by the next, with the same numbers to the bit", async () => {
    const first = await opened(weightsOf());
    expect(first.ready).toBe(false);
    expect(await entries()).toHaveLength(1);
    const second = await opened(weightsOf());
    expect(second.ready).toBe(true);
    expect(await logitsOf(second.model)).toEqual(await logitsOf(first.model));
    // The weights are a file of their own, which is mapped.
    const sizes = await Promise.all(
      ["model.onnx", "weights.bin"].map(async (name) => (await stat(await fileOf(name))).size),
    );
    expect(sizes[1]).toBeGreaterThan(10 * sizes[0]!);
  });

  test.each([
    ["another version of the runtime", { version: "1.31.0" }],
    ["another processor", { processor: "two" }],
  ])("are not used for %s", async (_, changed) => {
    await (await opened(weightsOf())).model.dispose();
    expect(await weightsOf(changed).find(digest)).toBeNull();
    const other = await opened(weightsOf(changed));
    expect(other.ready).toBe(false);
    await other.model.dispose();
  });

  test("of another version are deleted when new ones are made; those of other processors stay", async () => {
    await (await opened(weightsOf())).model.dispose();
    await (await opened(weightsOf({ processor: "two" }))).model.dispose();
    expect(await entries()).toHaveLength(2);
    await (await opened(weightsOf({ version: "1.31.0" }))).model.dispose();
    expect(await entries()).toHaveLength(1);
  });

  const damages: [string, () => Promise<void>][] = [
    [
      "a changed byte",
      async () => {
        const file = await fileOf("weights.bin");
        const bytes = await readFile(file);
        bytes[bytes.length >> 1]! ^= 1;
        await writeFile(file, bytes);
      },
    ],
    ["a file that is too short", async () => truncate(await fileOf("weights.bin"), 1000)],
    ["a missing file", async () => rm(await fileOf("weights.bin"))],
    [
      "a link in place of a file",
      async () => {
        const [file, aside] = [await fileOf("weights.bin"), path.join(folder, "building-aside")];
        await link(file, aside);
        const old = new Date(0);
        await utimes(aside, old, old);
      },
    ],
    ["a list that cannot be read", async () => writeFile(await fileOf("prepared.json"), "{")],
  ];
  test.each(damages)("with %s are made anew, and the pack answers all the same", async (_, damage) => {
    const right = await logitsOf((await opened(weightsOf())).model);
    await damage();
    const again = await opened(weightsOf());
    expect(again.ready).toBe(false);
    expect(await logitsOf(again.model)).toEqual(right);
    const third = await opened(weightsOf());
    expect(third.ready).toBe(true);
    await third.model.dispose();
  });

  test("that were deleted are made again", async () => {
    await (await opened(weightsOf())).model.dispose();
    await rm(folder, { recursive: true });
    const again = await opened(weightsOf());
    expect(again.ready).toBe(false);
    await again.model.dispose();
    expect(await entries()).toHaveLength(1);
  });

  test("two loadings at once end with one entry and two models", async () => {
    const both = await Promise.all([opened(weightsOf()), opened(weightsOf())]);
    const [one, other] = await Promise.all(both.map(({ model }) => logitsOf(model)));
    expect(other).toEqual(one);
    expect(await entries()).toHaveLength(1);
    expect((await opened(weightsOf())).ready).toBe(true);
  });

  test("are kept for some packs: the one that was used longest ago goes", async () => {
    const packs = ["1", "2", "3", "4", "5"].map((letter) => letter.repeat(64));
    for (const [index, pack] of packs.entries()) {
      await (await opened(weightsOf(), pack)).model.dispose();
      const used = new Date(Date.now() - 1000 * (10 - index));
      for (const name of await entries())
        if (name.startsWith(pack.slice(0, 8))) await utimes(path.join(folder, name), used, used);
    }
    expect(await entries()).toHaveLength(4);
    expect(await weightsOf().find(packs[0]!)).toBeNull();
    expect(await weightsOf().find(packs[4]!)).not.toBeNull();
  });

  test("a folder that cannot be made leaves the pack's own in use", async () => {
    const file = path.join(folder, "a-file");
    await writeFile(file, "");
    const { model, ready } = await opened(
      new PreparedWeights({ folder: path.join(file, "below"), ...machine }),
    );
    expect(ready).toBe(false);
    expect(await logitsOf(model)).toHaveLength(3 * probe.vocabulary);
  });

  test("a disk with too little room is left alone", async () => {
    expect(await weightsOf().begin(digest, 1e15)).toBeNull();
    expect(await entries()).toEqual([]);
  });
});

test("a pack that is asked is prepared for the next start, and answers the same then", async () => {
  const packs = path.join(folder, "packs");
  const cacheFolder = path.join(folder, "cache");
  const packDigest = await writeTinyPack(path.join(packs, "tiny-one"));
  const asked = async (cache: string | null) => {
    const service = createInferenceService(runtimeOpeners(() => undefined));
    const settings = { packFolders: [packs], provider: "cpu", threads: 2, stateFolder: null };
    await service.configure({ ...settings, cacheFolder: cache }, never);
    for await (const event of service.answer(tinyRequest({ seed: 4, temperature: 1 }), never)) {
      if (event.type === "done") return event.answer.answer;
    }
    throw new Error("no answer");
  };
  const right = await asked(null);
  expect(await readdir(folder)).toEqual(["packs"]);
  const kept = async () =>
    (await readdir(path.join(cacheFolder, "weights"))).map((name) => name.slice(0, 32));
  expect(await asked(cacheFolder)).toEqual(right);
  expect(await kept()).toEqual([packDigest.slice(0, 32)]);
  expect(await asked(cacheFolder)).toEqual(right);
});

test("the processor is named by what decides on its kernels", async () => {
  const name = await processorName();
  expect(name).toMatch(/[0-9a-f]{16}$/);
  expect(await processorName()).toBe(name);
});
