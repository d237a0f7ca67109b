import { randomUUID } from "node:crypto";
import { appError } from "../../core/errors.ts";
import type { Answer, AnswerEvent, AnswerRecord, Question } from "../../core/question.ts";
import type { AnswerRequest, LoadedView } from "../../models/api.ts";
import type { Context } from "../context.ts";
import { encodePng } from "../png.ts";
import type { Part } from "../router.ts";
import { chooseViews } from "./choose-views.ts";
import { countUnseen, loadView } from "./load-views.ts";
import { createPartialAnswer, type PartialAnswer } from "./partial-answer.ts";

export function answerProcedures(
  context: Context,
): Part<
  | "answers.views"
  | "answers.prepare"
  | "answers.ask"
  | "answers.ground"
  | "answers.list"
  | "answers.read"
  | "answers.delete"
  | "answers.modelInput"
> {
  const archive = (signal: AbortSignal) => context.archive.ready(signal);
  return {
    "answers.views": (request, signal) => chooseViews(context, request, signal),
    async "answers.prepare"(question, signal) {
      const request = await requestOf(context, question, signal);
      await (await context.inference.ready(signal)).prepare(request, signal);
      return {};
    },
    "answers.ask": (question, signal) => ask(context, question, signal),
    "answers.ground": ({ id }, signal) => ground(context, id, signal),
    "answers.list": async (input, signal) => (await archive(signal)).listAnswers(input, signal),
    "answers.read": async (input, signal) => (await archive(signal)).readAnswer(input, signal),
    async "answers.delete"(input, signal) {
      await (await archive(signal)).deleteAnswer(input, signal);
      return {};
    },
    async "answers.modelInput"({ pack, view }, signal) {
      const loaded = await loadView(context, view, signal);
      const inference = await context.inference.ready(signal);
      return encodePng(await inference.modelInput({ pack, view: loaded }, signal));
    },
  };
}

/**
 * A question about the views: the frames come decoded from the archive process and go to the inference process,
 * whose events are passed on. The record is saved when the answer is done, and also when it is stopped after it
 * has said something; nothing is saved for files that are not in the archive.
 */
async function* ask(
  context: Context,
  asked: Question,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, void, void> {
  yield { type: "progress", stage: "load", fraction: null, remaining_ms: null };
  const request = await requestOf(context, asked, signal);
  const { question } = request;
  const record = recordOf(request);
  const inference = await context.inference.ready(signal);
  const partial = createPartialAnswer(question);
  let finished = false;
  try {
    for await (const event of inference.answer(request, signal)) {
      if (event.type !== "done") {
        partial.add(event);
        yield event;
        continue;
      }
      finished = true;
      yield { type: "done", answer: await save(context, { record, answer: event.answer }) };
    }
  } finally {
    if (!finished && signal.aborted) await savePartial(context, { record, partial });
  }
}

/** The frames come decoded from the archive process. */
async function requestOf(context: Context, asked: Question, signal: AbortSignal): Promise<AnswerRequest> {
  const settings = await context.settings.read();
  const unseenSlices = await countUnseen(context, asked, signal);
  const views = await loadViews(context, asked, signal);
  const question: Question = {
    ...asked,
    views: views.map(({ view }) => view),
    pack: asked.pack ?? settings.pack,
    unseenSlices,
  };
  return { id: randomUUID(), question, views };
}

/** The evidence of a saved answer, tested now. The saved record gets it when it is done. */
async function* ground(
  context: Context,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent, void, void> {
  yield { type: "progress", stage: "load", fraction: null, remaining_ms: null };
  const archive = await context.archive.ready(signal);
  const saved = await archive.readAnswer({ id }, signal);
  if (saved.imageExchangedAt !== undefined) {
    throw appError(
      "bad-request",
      "The study shows another file of this image since this answer was given. Ask again.",
    );
  }
  const question: Question = { ...saved.input, ground: true };
  const views = await loadViews(context, question, signal);
  const inference = await context.inference.ready(signal);
  const request: AnswerRequest = { id, question, views };
  for await (const event of inference.ground({ request, answer: saved.answer }, signal)) {
    yield event.type === "done"
      ? { type: "done", answer: await save(context, { record: saved, answer: event.answer }) }
      : event;
  }
}

async function loadViews(context: Context, question: Question, signal: AbortSignal): Promise<LoadedView[]> {
  const loaded: LoadedView[] = [];
  for (const view of question.views) loaded.push(await loadView(context, view, signal));
  const [first] = loaded;
  const others = loaded.some(({ summary }) => summary.patientId !== first?.summary.patientId);
  if (others) throw appError("bad-input", "The images belong to different patients. Ask about one patient.");
  return loaded;
}

type RecordStart = Omit<AnswerRecord, "answer">;

function recordOf({ id, question, views }: AnswerRequest): RecordStart {
  return { id, askedAt: new Date().toISOString(), subject: views[0]!.summary, input: question };
}

/** The answer as it was saved; it says so where it could not be. */
async function save(
  context: Context,
  { record, answer }: { record: RecordStart; answer: Answer },
): Promise<Answer> {
  if (!record.input.views.every(({ source }) => "instance" in source)) return answer;
  // Not the caller's signal: who stops now has the answer already and expects to find it again.
  const { signal } = new AbortController();
  try {
    const archive = await context.archive.ready(signal);
    await archive.saveAnswer({ ...record, answer }, signal);
    return answer;
  } catch (cause) {
    context.log.write({ where: "answers.ask", what: "an answer was not saved", cause });
    return { ...answer, warnings: [...answer.warnings, "This answer could not be saved."] };
  }
}

async function savePartial(
  context: Context,
  { record, partial }: { record: RecordStart; partial: PartialAnswer },
): Promise<void> {
  const { signal } = new AbortController();
  try {
    const inference = await context.inference.ready(signal);
    const [packs, providers] = await Promise.all([
      inference.listPacks({}, signal),
      inference.providers({}, signal),
    ]);
    const pack = packs.find(({ name }) => name === record.input.pack) ?? packs[0];
    const provider = providers.find(({ status }) => status === "in-use")?.name ?? "";
    const answer = pack && partial.answer({ pack, provider });
    if (answer) await save(context, { record, answer });
  } catch (cause) {
    context.log.write({ where: "answers.ask", what: "a stopped answer was not saved", cause });
  }
}
