import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promptFor } from "../../../models/bind-question.ts";
import { generate } from "../../../models/decode/generate.ts";
import { greedy } from "../../../models/decode/sampler.ts";
import { openPack } from "../../../models/open-pack.ts";
import { findPacks } from "../../../models/pack/read-pack.ts";
import type { ForwardRequest, LanguageModel } from "../../../models/runtime/backend.ts";
import { type PromptPart, PromptReader } from "../../../models/runtime/prompt-reader.ts";
import { openCRuntime } from "../../../models/runtime/runtime.ts";
import { ChatTemplate } from "../../../models/text/chat-template.ts";
import type { TextTokenizer } from "../../../models/text/tokenizer.ts";
import { openLanguage } from "../../unit/models/open-language.ts";

/**
 * node scripts/run-ts.mjs test/bench/models/lookup.ts [IMAGES] [TOKENS]
 *
 * What guessing tokens from the prompt and the answer brings: greedy answers with and without, of the embedded pack about
 * some of its reference images, and of its base language model to texts that are to be repeated, changed and gone on
 * with. One JSON object on stdout: tokens, runs, milliseconds a token, and where the answers part (-1: nowhere).
 */
const [images = "3", tokens = "48"] = process.argv.slice(2);
const { signal } = new AbortController();
const packs = fileURLToPath(new URL("../../../models/packs", import.meta.url));
const base = path.join(packs, "smollm2-135m-instruct");
const runtime = await openCRuntime();

const report =
  "Clinical history: fall on the outstretched hand. Findings: there is a transverse fracture of the distal radius with dorsal angulation of 12 degrees. The ulnar styloid is intact. No dislocation of the radiocarpal joint. Soft tissue swelling of the wrist.";
const texts = [
  `Repeat this report word for word:\n${report}`,
  `Rewrite this report as a short list:\n${report}`,
  `Write an impression for this report:\n${report}`,
  "Describe how a chest radiograph is read, step by step.",
];
const questions = [
  "Is there an abnormality?",
  "Describe the image.",
  "What is seen in this image and where?",
];

interface Asked {
  readonly name: string;
  readonly prompt: readonly PromptPart[];
  readonly language: LanguageModel;
  readonly tokenizer: TextTokenizer;
  readonly stopIds: ReadonlySet<number>;
}

async function* aboutImages(): AsyncGenerator<Asked, void, void> {
  const installed = (await findPacks([packs], signal)).find(({ summary }) => summary.embedded)!;
  const pack = await openPack(installed, { name: "cpu", provider: null, threads: 2, runtime }, signal);
  const shown = pack.references.images.filter((_, i) => i % 7 === 0).slice(0, Number(images));
  for (const [index, { name, input }] of shown.entries()) {
    const embedded = await pack.encoder.encode([input], signal);
    const question = questions[index % questions.length]!;
    const facts = { modality: "CR", bodyPart: "HAND", view: null };
    yield { ...pack, name, prompt: promptFor(pack, { question, choices: null, facts }, embedded) };
  }
  await pack.dispose();
}

async function* aboutTexts(): AsyncGenerator<Asked, void, void> {
  const { model, tokenizer } = await openLanguage(base);
  const config = JSON.parse(await readFile(path.join(base, "tokenizer_config.json"), "utf8")) as {
    chat_template: string;
  };
  const template = new ChatTemplate(config.chat_template, {});
  const stopIds = new Set([tokenizer.idOf("<|im_end|>")!]);
  for (const [index, content] of texts.entries()) {
    const ids = tokenizer.encode(template.render([{ role: "user", content }]));
    yield { name: `text ${index + 1}`, prompt: [{ type: "text", ids }], language: model, tokenizer, stopIds };
  }
  await model.dispose();
}

async function say({ prompt, language, stopIds }: Asked, lookup: boolean) {
  let runs = -1;
  const counted: LanguageModel = Object.assign(Object.create(language) as LanguageModel, {
    embed: language.embed.bind(language),
    createCache: () => language.createCache(),
    forward: (request: ForwardRequest, stop: AbortSignal) => {
      runs += 1;
      return language.forward(request, stop);
    },
    hidden: language.hidden,
    vocabulary: language.vocabulary,
    contextLength: language.contextLength,
  });
  const reader = new PromptReader(counted);
  const ids: number[] = [];
  let started = 0;
  const request = { prompt, sampler: greedy, stopIds, maxTokens: Number(tokens), lookup };
  for await (const event of generate(reader, request, signal)) {
    if (event.type === "prefilled") started = performance.now();
    if (event.type === "token") ids.push(event.id);
  }
  const ms = performance.now() - started;
  await reader.dispose();
  return { ids, runs, ms };
}

const rows = [];
for (const source of [aboutImages(), aboutTexts()]) {
  for await (const asked of source) {
    const plain = await say(asked, false);
    const guessed = await say(asked, true);
    const row = {
      name: asked.name,
      tokens: plain.ids.length,
      runs: { plain: plain.runs, guessed: guessed.runs },
      ms_a_token: {
        plain: Math.round(plain.ms / plain.ids.length),
        guessed: Math.round(guessed.ms / guessed.ids.length),
      },
      part_at: plain.ids.findIndex((id, at) => guessed.ids[at] !== id),
      text: asked.tokenizer.decode(guessed.ids),
    };
    console.error(JSON.stringify(row));
    rows.push(row);
  }
}
console.log(JSON.stringify(rows, null, 2));
