import type { AnswerRequest, InferenceApi } from "../../models/api.ts";
import { appError, throwIfAborted } from "../../core/errors.ts";
import type { PackSummary } from "../../core/model-pack.ts";
import type { Answer, AnswerEvent, Sentence } from "../../core/question.ts";
import { serveParent } from "./serve-parent.ts";

/** An inference process whose answers are scripted by the question, so that a test can stop it at a known place. */

const pack: PackSummary = {
  name: "scripted",
  version: "1",
  digest: "d",
  licence: "Apache-2.0",
  architecture: "none",
  bytes: 0,
  embedded: true,
  calibrated: false,
  contextLength: 10,
  maxViews: 3,
  intendedFor: [],
  card: {
    title: "",
    summary: "",
    researchUse: "",
    trainingData: [],
    split: "",
    figures: [],
    knownFailures: [],
  },
};

const api: Partial<InferenceApi> = {
  configure: () => Promise.resolve(),
  listPacks: () => Promise.resolve([pack]),
  packFits: () => Promise.resolve([]),
  packStandings: () => Promise.resolve([]),
  providers: () => Promise.resolve([{ name: "cpu", status: "in-use", reason: "", probe_ms: 1 }]),
  modelInput: ({ view }) =>
    Promise.resolve({ width: 2, height: 1, channels: 1, pixels: Uint8Array.of(view.frame.rows, 255) }),

  prepare: () => Promise.resolve(),
  async *answer(request, signal): AsyncGenerator<AnswerEvent, void, void> {
    const { question } = request.question;
    const scope = { status: "in", reason: "" } as const;
    const subject = request.views[0]!.summary;
    yield { type: "accepted", id: request.id, subject, scope, warnings: [] };
    yield { type: "token", text: "Yes. " };
    if (question === "die") process.exit(1);
    yield { type: "sentence", index: 0, sentence: sentence("untested") };
    if (question === "slow") await untilAborted(signal);
    throwIfAborted(signal);
    yield { type: "evidence", index: 0, sentence: sentence("uncalibrated") };
    yield { type: "done", answer: answerTo(request, "uncalibrated") };
  },

  async *ground({ request, answer }): AsyncGenerator<AnswerEvent, void, void> {
    yield { type: "evidence", index: 0, sentence: sentence("diffuse") };
    const sentences = [sentence("diffuse")];
    const { views } = answerTo(request, "diffuse");
    yield { type: "done", answer: { ...answer, views, answer: { ...answer.answer, sentences } } };
  },
};

/** The warnings tell what reached this process. */
function answerTo({ question, views }: AnswerRequest, state: Sentence["state"]): Answer {
  return {
    question: question.question,
    pack: { name: question.pack ?? pack.name, version: pack.version, digest: pack.digest },
    provider: "cpu",
    seed: question.seed,
    views: views.map(({ view }) => view),
    scope: { status: "in", reason: "" },
    answer: { text: "Yes. ", stop: "end", sentences: [sentence(state)] },
    timing: {
      load_ms: 0,
      image_ms: 0,
      prefill_ms: 0,
      first_token_ms: 0,
      decode_tokens_per_s: 0,
      grounding_ms: 0,
      evaluations: 0,
    },
    tokens: { prompt: 0, image: 0, reused: 0, answer: 1 },
    warnings: [
      `unseen ${question.unseenSlices}`,
      ...views.map(({ frame }) => `values ${[...frame.values].join(" ")}`),
    ],
  };
}

function sentence(state: Sentence["state"]): Sentence {
  return {
    text: "Yes.",
    start: 0,
    end: 4,
    probability: null,
    reliance: null,
    state,
    regions: [],
    views_effect: [],
    maps: [],
  };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(appError("cancelled", "Cancelled.")));
  });
}

serveParent(api);
