import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appError } from "../../../../core/errors.ts";
import type { Answer } from "../../../../core/question.ts";
import type { InferenceApi } from "../../../../models/api.ts";
import { bindQuestion } from "../../../../models/bind-question.ts";
import { prepareView } from "../../../../models/image/prepare-view.ts";
import { createInferenceService } from "../../../../models/inference-service.ts";
import type { LoadedPack } from "../../../../models/loaded-pack.ts";
import { openPack } from "../../../../models/open-pack.ts";
import { findPacks, readPack } from "../../../../models/pack/read-pack.ts";
import type { LanguageModel, VisionModel } from "../../../../models/runtime/backend.ts";
import { BindingThread } from "../../../../models/runtime/binding/thread.ts";
import { PromptReader } from "../../../../models/runtime/prompt-reader.ts";
import {
  openBindingRuntime,
  openCRuntime,
  openRuntime,
  type Runtime,
  type RuntimeOpeners,
} from "../../../../models/runtime/runtime.ts";
import {
  fixtureSource,
  importWholeModel,
  relativeDifference,
  runImport,
  temporaryFolder,
} from "../import/imported-language.ts";
import { normals, tiny } from "../tiny-decoder.ts";
import { cpu, never, openTinyModel } from "../tiny-model.ts";
import { tinyRequest, tinyVision } from "../tiny-pack.ts";
import { writeTinyPack } from "../tiny-pack-folder.ts";

const tolerance = 1e-5;
let first: Runtime;
let second: Runtime;
beforeAll(async () => {
  first = await openCRuntime();
  second = await openBindingRuntime("For a test.", () => undefined);
});

describe("the second runtime gives the first one's numbers", () => {
  test.each([1, 2, 31, 32, 33, 65, 300])(
    "for a prompt of %i tokens and two steps behind it",
    async (tokens) => {
      const random = normals(5);
      const embeddings = Float32Array.from({ length: tokens * tiny.hidden }, random);
      const step = Float32Array.from({ length: tiny.hidden }, random);
      const read = async (runtime: Runtime) => {
        const model = await openTinyModel(runtime);
        const cache = model.createCache();
        const rows = [...new Set([0, tokens >> 1, tokens - 1])];
        const parts = [await model.forward({ cache, embeddings, rows }, never)];
        for (let i = 0; i < 2; i += 1) {
          parts.push(await model.forward({ cache, embeddings: step, rows: [0] }, never));
        }
        expect(cache.length).toBe(tokens + 2);
        await model.dispose();
        return Float32Array.from(parts.flatMap((part) => [...part]));
      };
      expect(relativeDifference(await read(second), await read(first))).toBeLessThan(tolerance);
    },
  );

  test("for several images at once", async () => {
    const random = normals(8);
    const pixels = Float32Array.from({ length: 3 * 3 * 64 * 64 }, random);
    const graph = { type: "bytes", bytes: tinyVision(), dataFolder: null } as const;
    const source = { graph, width: 64, height: 64, tokens: 16, hidden: tiny.hidden };
    const encode = async (runtime: Runtime) => {
      const model = await runtime.openVision(source, cpu);
      const values = await model.encode(pixels, 3, never);
      await model.dispose();
      return values;
    };
    expect(relativeDifference(await encode(second), await encode(first))).toBeLessThan(tolerance);
  });
});

const imports = [
  {
    name: "whose image tokens see each other",
    make: async (folder: string) => (await importWholeModel("gemma3", folder)).pack,
  },
  {
    name: "as it was exported for transformers.js",
    make: async (folder: string) =>
      runImport({
        source: await fixtureSource("exports/llava", folder),
        targetFolder: path.join(folder, "packs"),
        name: "exported",
      }),
  },
];

describe.each(imports)("an imported model $name, on either runtime", ({ make }) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let packFolder: string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    packFolder = await make(folder.path);
  });
  afterAll(() => folder.remove());

  test("reads an image between two texts and gives the same logits", async () => {
    const { graphs, vocabulary, layout, image, summary } = await readPack(packFolder, never);
    const random = normals(3);
    const pixels = Float32Array.from({ length: 3 * image.width * image.height }, random);
    const read = async (runtime: Runtime) => {
      const source = { ...graphs, layout, vocabulary, contextLength: summary.contextLength };
      const language: LanguageModel = await runtime.openLanguage(source, cpu);
      const { width, height, tokens } = image;
      const seen = { graph: graphs.vision, width, height, tokens, hidden: language.hidden };
      const vision: VisionModel = await runtime.openVision(seen, cpu);
      const values = await vision.encode(pixels, 1, never);
      const reader = new PromptReader(language);
      const about = { tokens, hidden: language.hidden, values };
      const { logits } = await reader.read(
        {
          parts: [
            { type: "text", ids: Array.from({ length: 28 }, (_, i) => i % 7) },
            { type: "image", image: about },
            { type: "text", ids: [3, 4, 5] },
          ],
          rows: [0, 28 + tokens, 30 + tokens],
        },
        never,
      );
      await reader.dispose();
      await vision.dispose();
      await language.dispose();
      return { values, logits };
    };
    const [one, other] = [await read(first), await read(second)];
    expect(relativeDifference(other.values, one.values)).toBeLessThan(tolerance);
    expect(relativeDifference(other.logits, one.logits)).toBeLessThan(tolerance);
  });
});

const packs = fileURLToPath(new URL("../../../../models/packs", import.meta.url));

describe.skipIf(!existsSync(path.join(packs, "meditron-v-nano", "pack.json")))("the embedded pack", () => {
  /** On two busy cores; alone it takes a tenth of it. */
  const patience = 300_000;

  test("scores sentences about an image alike on either runtime", { timeout: patience }, async () => {
    const installed = (await findPacks([packs], never)).find(({ summary }) => summary.embedded)!;
    const score = async (runtime: Runtime) => {
      const pack: LoadedPack = await openPack(installed, { name: "cpu", ...cpu, runtime }, never);
      const { view, frame } = tinyRequest().views[0]!;
      const facts = { modality: "CR", bodyPart: "HAND", view: null };
      const reader = pack.readers.borrow();
      const model = bindQuestion(pack, { question: "Is there a fracture?", choices: null, facts }, reader);
      const images = await model.encode([prepareView(view, frame, pack.image).input], never);
      const continuations = ["Yes. There is a fracture.", "No."].map((text) => ({ prefix: "", text }));
      const [scores] = await model.score({ alternatives: [images], continuations }, never);
      await pack.readers.giveBack(reader);
      await pack.dispose();
      const logs = scores!.flatMap((one) => one.map(({ logProbability }) => logProbability));
      return { logs: Float32Array.from(logs), image: images[0]!.values };
    };
    const [one, other] = [await score(first), await score(second)];
    expect(relativeDifference(other.image, one.image)).toBeLessThan(tolerance);
    expect(relativeDifference(other.logs, one.logs)).toBeLessThan(tolerance);
  });
});

describe("where the C interface does not load", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeTinyPack(path.join(folder.path, "tiny-one"));
  });
  afterAll(() => folder.remove());

  const openers = (open: () => Promise<Runtime>): RuntimeOpeners => ({
    first: open,
    second: (reason) => openBindingRuntime(reason, () => undefined),
  });
  const refused = () =>
    Promise.reject(
      appError("model-failed", "The model runtime on this machine is not the one this app needs."),
    );

  async function started(given: RuntimeOpeners): Promise<InferenceApi> {
    const service = createInferenceService(given);
    const settings = { packFolders: [folder.path], provider: "cpu", threads: 2, stateFolder: null };
    await service.configure(settings, never);
    return service;
  }

  async function asked(service: InferenceApi): Promise<Answer> {
    const request = tinyRequest({ seed: 4, temperature: 1 });
    for await (const event of service.answer(request, never)) if (event.type === "done") return event.answer;
    throw new Error("no answer");
  }

  test("the second runtime answers the same, and answer and settings name it", async () => {
    const usual = await asked(await started(openers(openCRuntime)));
    const service = await started(openers(refused));
    const found = await asked(service);
    expect(found.answer).toEqual(usual.answer);
    expect([usual.provider, found.provider]).toEqual(["cpu", "cpu, second runtime"]);
    const [status] = await service.providers({}, never);
    expect(status).toMatchObject({ name: "cpu", status: "in-use" });
    expect(status!.reason).toContain("is not the one this app needs");
  });

  test("what a native library says of itself stays out of the settings", async () => {
    const native = () => Promise.reject(new Error("/app/koffi.node: cannot open shared object file"));
    const { instead } = await openRuntime(openers(native));
    expect(instead).toBe("This machine does not let it call native functions.");
  });

  test("where neither loads, the first reason is told", async () => {
    const nothing = { first: refused, second: () => Promise.reject(new Error("no binding")) };
    await expect(openRuntime(nothing)).rejects.toMatchObject({ code: "model-failed" });
    const unnamed = { ...nothing, first: () => Promise.reject(new Error("no library")) };
    await expect(openRuntime(unnamed)).rejects.toMatchObject({ code: "provider-not-available" });
  });
});

describe("the thread of the second runtime", () => {
  const worker = (code: string) => () => new Worker(code, { eval: true });
  const answering = (then: string) =>
    worker(`const { parentPort } = require("node:worker_threads");
      parentPort.on("message", ({ id, name }) => {
        if (name === "version") parentPort.postMessage({ type: "value", id, value: "1" });
        else ${then};
      });`);

  function counted(): { count: number; lost: () => void } {
    const counter = { count: 0, lost: () => void (counter.count += 1) };
    return counter;
  }

  test("that ends by itself is reported once, and what was asked of it is lost", async () => {
    const counter = counted();
    const thread = await BindingThread.start({ ...counter, open: answering("process.exit(3)") });
    await expect(thread.call("embed", { model: 1, ids: [1] }, never)).rejects.toMatchObject({
      code: "process-lost",
    });
    expect(counter.count).toBe(1);
  });

  test("that does not start is no loss: there is nothing that it held", async () => {
    const counter = counted();
    const starting = BindingThread.start({ ...counter, open: worker("process.exit(3)") });
    await expect(starting).rejects.toMatchObject({ code: "process-lost" });
    expect(counter.count).toBe(0);
  });

  test("lets a caller go who cancels while it computes, and is given up where it does not end", async () => {
    const given = new Promise<void>((lost) => {
      const open = answering("for (;;);");
      void BindingThread.start({ lost, open, patienceMs: 50 }).then(async (thread) => {
        const controller = new AbortController();
        const call = thread.call("embed", { model: 1, ids: [1] }, controller.signal);
        controller.abort();
        await expect(call).rejects.toMatchObject({ code: "cancelled" });
      });
    });
    await given;
  });
});
