import { appError, toAppError } from "../core/errors.ts";
import type { HeaderFacts } from "../core/frame.ts";
import type { PackSummary } from "../core/model-pack.ts";
import type { Answer, AnswerEvent, Question, Scope, Sentence } from "../core/question.ts";
import type { AnswerRequest } from "./api.ts";
import { groundingView, promptFor } from "./bind-question.ts";
import { chooseAnswer } from "./decode/choices.ts";
import { generate } from "./decode/generate.ts";
import { createSampler } from "./decode/sampler.ts";
import { checkSchema, schemaFilter } from "./decode/structured.ts";
import { answerSentences } from "./evidence/answer-sentences.ts";
import type { GroundingView } from "./evidence/model-access.ts";
import { evidenceFailed } from "./evidence/left-out.ts";
import { groundSentences } from "./ground-answer.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import type { PackShelf } from "./pack-shelf.ts";
import { type PromptPart, type PromptReader, promptLength } from "./runtime/prompt-reader.ts";
import { factsOf, judgeScopes } from "./scope.ts";
import { TokenStream } from "./text/token-stream.ts";

export type Packs = Pick<PackShelf, "find" | "lease">;

/**
 * The whole way from a question to an answer: is the pack for these images, render, encode, read, say, split into
 * sentences, test them. Events come in the order of `answerEventSchema`.
 * @throws pack-not-found, bad-input, question-too-long, cancelled, and what loading and running throw
 */
export async function* answer(
  packs: Packs,
  request: AnswerRequest,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, void, void> {
  yield progress("load");
  const { question } = request;
  checkForm(question);
  const installed = await packs.find(question.pack, signal);
  const facts = request.views.map(({ summary }) => factsOf(summary.facts, question.modality));
  const scope = judgeScopes(installed.summary.intendedFor, facts);
  const warnings = openingWarnings(request, scope, installed.summary);
  yield { type: "accepted", id: request.id, subject: request.views[0]!.summary, scope, warnings };
  if (scope.status === "out") {
    yield { type: "done", answer: refusal({ question, scope, warnings }, installed.summary) };
    return;
  }

  const lease = await packs.lease(installed.summary.name, signal);
  const { pack } = lease;
  const reader = pack.readers.borrow();
  try {
    yield progress("image");
    const work = { pack, reader, request, facts: facts[0]!, scope, warnings, loadMs: lease.waitedMs };
    const said = yield* say(work, signal);
    yield* sentenceEvents(said.answer);
    if (!question.ground || said.answer.answer.sentences.length === 0) {
      yield { type: "done", answer: said.answer };
      return;
    }
    yield { type: "done", answer: yield* grounded(work, said, signal) };
  } finally {
    await pack.readers.giveBack(reader);
    lease.release();
  }
}

/** The evidence of a saved answer, with the budget lifted. @throws as `answer` does */
export async function* groundSaved(
  packs: Packs,
  { request, answer: saved }: { request: AnswerRequest; answer: Answer },
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, void, void> {
  yield progress("load");
  const { question } = request;
  const installed = await packs.find(saved.pack.name, signal);
  if (installed.summary.digest !== saved.pack.digest) {
    throw appError("pack-not-found", "The model pack has changed since this answer. Ask the question again.");
  }
  const lease = await packs.lease(saved.pack.name, signal);
  const { pack } = lease;
  const reader = pack.readers.borrowSpare();
  try {
    const facts = factsOf(request.views[0]!.summary.facts, question.modality);
    const views = request.views.map((view) => groundingView(pack, view));
    const work = { pack, question, facts, views, answer: saved, reader, budgetSeconds: null };
    yield { type: "done", answer: yield* groundSentences(work, signal) };
  } finally {
    await pack.readers.giveBackSpare(reader);
    lease.release();
  }
}

/** Before anything is loaded for it. @throws bad-input, not-supported */
function checkForm({ choices, schema }: Question): void {
  if (schema) checkSchema(schema);
  if (choices && schema) {
    throw appError("bad-input", "An answer is held to choices or to a schema, not to both.");
  }
}

interface Work {
  readonly pack: LoadedPack;
  readonly reader: PromptReader;
  readonly request: AnswerRequest;
  readonly facts: HeaderFacts;
  readonly scope: Scope;
  readonly warnings: readonly string[];
  readonly loadMs: number;
}

interface Said {
  readonly answer: Answer;
  readonly views: readonly GroundingView[];
}

/** What was said, and how it ended. */
interface Speech {
  readonly text: string;
  readonly stop: Answer["answer"]["stop"];
  readonly tokens: number;
  readonly reused: number;
  readonly prefillMs: number;
  readonly firstTokenAt: number;
  readonly tokensPerSecond: number;
}

async function* say(work: Work, signal: AbortSignal): AsyncGenerator<AnswerEvent, Said, void> {
  const { pack, request, scope, loadMs } = work;
  const { question } = request;
  const started = performance.now();
  const views = request.views.map((view) => groundingView(pack, view));
  const images = await pack.encoder.encode(
    views.map(({ input }) => input),
    signal,
  );
  const imageMs = performance.now() - started;
  yield progress("prefill");
  const { schema = null } = question;
  const prompt = promptFor(pack, { ...question, schema, facts: work.facts }, images);
  const length = promptLength(prompt);
  const room = pack.language.contextLength - length;
  if (room < 1) throw tooLong(pack.language.contextLength, length);
  const limited = question.choices === null && room < question.maxTokens;
  const speech = question.choices
    ? yield* choose(work, { prompt, choices: question.choices }, signal)
    : yield* speak(work, { prompt, maxTokens: Math.min(room, question.maxTokens) }, signal);
  const spoken: Answer = {
    question: question.question,
    pack: packOf(pack.summary),
    provider: pack.provider,
    seed: question.seed,
    views: [...question.views],
    scope,
    answer:
      schema === null
        ? {
            text: speech.text,
            stop: speech.stop,
            sentences: answerSentences(speech.text, question.question).map(untested),
          }
        : { text: speech.text, stop: speech.stop, sentences: [], structured: JSON.parse(speech.text) },
    timing: {
      load_ms: Math.round(loadMs),
      image_ms: Math.round(imageMs),
      prefill_ms: Math.round(speech.prefillMs),
      first_token_ms: Math.round(speech.firstTokenAt - started),
      decode_tokens_per_s: Math.round(speech.tokensPerSecond * 10) / 10,
      grounding_ms: 0,
      evaluations: 0,
    },
    tokens: {
      prompt: length,
      image: images.reduce((sum, image) => sum + image.tokens, 0),
      reused: speech.reused,
      answer: speech.tokens,
    },
    warnings: [...work.warnings, ...pack.notes, ...endingWarnings(speech, limited, room)],
  };
  return { answer: spoken, views };
}

async function* speak(
  { pack, reader, request: { question } }: Work,
  { prompt, maxTokens }: { prompt: readonly PromptPart[]; maxTokens: number },
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, Speech, void> {
  const started = performance.now();
  const sampler = createSampler(question);
  const stream = new TokenStream(pack.tokenizer);
  const { tokenizer, stopIds } = pack;
  const { schema } = question;
  const held = schema ? { filter: schemaFilter({ schema, tokenizer, stopIds, maxTokens }) } : {};
  let text = "";
  let stop: Speech["stop"] = "end";
  let reused = 0;
  let prefillMs = 0;
  const times: number[] = [];
  for await (const event of generate(
    reader,
    { prompt, sampler, stopIds, maxTokens, lookup: true, ...held },
    signal,
  )) {
    if (event.type === "prefilled") {
      ({ reused } = event);
      prefillMs = performance.now() - started;
      yield progress("decode");
    } else if (event.type === "stop") stop = event.reason;
    if (event.type === "token") times.push(performance.now());
    const piece = event.type === "token" ? stream.push(event.id) : event.type === "stop" ? stream.end() : "";
    if (piece === "") continue;
    text += piece;
    yield { type: "token", text: piece };
  }
  const firstTokenAt = times[0] ?? performance.now();
  const seconds = ((times.at(-1) ?? firstTokenAt) - firstTokenAt) / 1000;
  const tokensPerSecond = seconds > 0 ? (times.length - 1) / seconds : 0;
  return { text, stop, tokens: times.length, reused, prefillMs, firstTokenAt, tokensPerSecond };
}

async function* choose(
  { pack, reader }: Work,
  { prompt, choices }: { prompt: readonly PromptPart[]; choices: readonly string[] },
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, Speech, void> {
  const { tokenizer, language } = pack;
  const request = { prompt, choices, tokenizer, vocabulary: language.vocabulary };
  const { choice, tokens, reused, prefillMs } = await chooseAnswer(reader, request, signal);
  const firstTokenAt = performance.now();
  yield progress("decode");
  yield { type: "token", text: choice };
  return { text: choice, stop: "end", tokens, reused, prefillMs, firstTokenAt, tokensPerSecond: 0 };
}

/** An answer is worth showing where its test fails: the failure is said and the sentences stay untested. */
async function* grounded(
  work: Work,
  said: Said,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, Answer, void> {
  const { pack, reader, facts, request } = work;
  const { question } = request;
  const { answer: before, views } = said;
  // The next question is about the image that was shown, not about those that it is tested with.
  const spare = pack.readers.borrowSpare();
  try {
    spare.goOnFrom(reader);
    const budgetSeconds = question.groundBudgetSeconds;
    return yield* groundSentences(
      { pack, question, facts, views, answer: before, reader: spare, budgetSeconds },
      signal,
    );
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (code === "cancelled" || code === "internal") throw thrown;
    return { ...before, warnings: [...before.warnings, evidenceFailed(message)] };
  } finally {
    await pack.readers.giveBackSpare(spare);
  }
}

function* sentenceEvents({ answer: { sentences } }: Answer): Generator<AnswerEvent, void, void> {
  for (const [index, sentence] of sentences.entries()) yield { type: "sentence", index, sentence };
}

function openingWarnings({ question, views }: AnswerRequest, scope: Scope, pack: PackSummary): string[] {
  const most = pack.maxViews;
  if (views.length > most) {
    throw appError(
      "bad-input",
      `This model pack takes ${most === 1 ? "one image" : `at most ${most} images`} at a time.`,
    );
  }
  const warnings: string[] = [];
  if (scope.status === "uncertain" || scope.status === "not-assessed") warnings.push(scope.reason);
  if (question.unseenSlices > 0) {
    warnings.push(`${views.length} of ${views.length + question.unseenSlices} slices seen.`);
  }
  if (question.views.some(({ regions }) => regions.length > 0)) {
    warnings.push("The model is not told about the regions that were drawn.");
  }
  if (question.schema) warnings.push("An answer in the form of a schema is not tested against the image.");
  for (const { frame } of views) warnings.push(...frame.warnings);
  return [...new Set(warnings)];
}

/** What does not fit is said, never cut away in silence. */
function endingWarnings(speech: Speech, limited: boolean, room: number): string[] {
  if (speech.stop !== "length") return [];
  return limited
    ? [`The answer was cut at ${room} tokens: the model's context is full.`]
    : [`The answer was cut at ${speech.tokens} tokens, the limit of this question.`];
}

function refusal(
  { question, scope, warnings }: { question: Question; scope: Scope; warnings: string[] },
  pack: PackSummary,
): Answer {
  return {
    question: question.question,
    pack: packOf(pack),
    provider: "none",
    seed: question.seed,
    views: [...question.views],
    scope,
    answer: { text: scope.reason, stop: "refused", sentences: [] },
    timing: {
      load_ms: 0,
      image_ms: 0,
      prefill_ms: 0,
      first_token_ms: 0,
      decode_tokens_per_s: 0,
      grounding_ms: 0,
      evaluations: 0,
    },
    tokens: { prompt: 0, image: 0, reused: 0, answer: 0 },
    warnings,
  };
}

function untested({ text, start, end }: { text: string; start: number; end: number }): Sentence {
  return {
    text,
    start,
    end,
    probability: null,
    reliance: null,
    state: "untested",
    regions: [],
    views_effect: [],
    maps: [],
  };
}

function packOf({ name, version, digest }: PackSummary): Answer["pack"] {
  return { name, version, digest };
}

function progress(stage: Extract<AnswerEvent, { type: "progress" }>["stage"]): AnswerEvent {
  return { type: "progress", stage, fraction: null, remaining_ms: null };
}

function tooLong(context: number, tokens: number): Error {
  return appError(
    "question-too-long",
    `Question and images take ${tokens} tokens; the model reads ${context}. Ask a shorter question or fewer images.`,
  );
}
