import type { EvaluationEvent } from "../../core/evaluation.ts";
import type { GroundingView } from "../evidence/model-access.ts";
import { planStand, standsOf } from "../evidence/stand.ts";
import { splitSentences } from "../text/sentences.ts";
import questions from "../training/eval-questions.json" with { type: "json" };
import path from "node:path";
import type { MeasuredFigure } from "./card-figures.ts";
import type { EvalModel, EvalQuestion } from "./eval-model.ts";
import type { ImageShelf } from "./image-shelf.ts";
import { pace } from "./pace.ts";
import { balancedAccuracy, type Estimate, groupBootstrap } from "./statistics.ts";

/**
 * Does the model look? Balanced accuracy on yes/no questions with the true image, minus that with another image of
 * the same set, region and view with the opposite label (models/training/eval-questions.json, report part).
 */
export interface LookQuestion {
  readonly set: string;
  readonly file: string;
  readonly group: string;
  readonly finding: string;
  readonly hardware: boolean;
  readonly modality: string;
  readonly question: string;
  readonly choices: readonly string[];
  readonly label: string;
  readonly swapped: string;
}

/** What was answered, true for yes, and the odds it came from in nats. */
interface LookCase {
  readonly group: string;
  readonly truth: boolean;
  readonly answer: boolean;
  readonly swapped: boolean;
  readonly odds: number;
  readonly swappedOdds: number;
}

export interface LookFigure {
  readonly questions: number;
  readonly yes: number;
  readonly groups: number;
  readonly true_image: Estimate;
  readonly swapped_image: Estimate;
  readonly difference: Estimate;
}

export function lookQuestions(limit: number | null): readonly LookQuestion[] {
  if (limit === null) return questions;
  // Evenly through the list, so that every set and finding is among the first few too.
  const step = Math.max(1, questions.length / limit);
  return Array.from(
    { length: Math.min(limit, questions.length) },
    (_, index) => questions[Math.floor(index * step)]!,
  );
}

export function lookFiles(data: string, limit: number | null): string[] {
  const files = lookQuestions(limit).flatMap((one) => [
    imagePath(data, one, one.file),
    imagePath(data, one, one.swapped),
  ]);
  return [...new Set(files)];
}

export async function* evaluateLook(
  { model, shelf, data, limit }: { model: EvalModel; shelf: ImageShelf; data: string; limit: number | null },
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const asked = lookQuestions(limit);
  const progress = pace(asked.length);
  const cases: { question: LookQuestion; result: LookCase }[] = [];
  for (const question of asked) {
    const [own, other] = [question.file, question.swapped].map((file) =>
      shelf.view({ path: imagePath(data, question, file) }),
    );
    const [odds, swappedOdds] = await yesOdds({ model, question, views: [own!, other!] }, signal);
    cases.push({
      question,
      result: {
        group: question.group,
        truth: question.label === "yes",
        answer: odds! > 0,
        swapped: swappedOdds! > 0,
        odds: odds!,
        swappedOdds: swappedOdds!,
      },
    });
    yield progress.step(`${question.set} ${question.file}`);
  }
  const figures = Object.fromEntries(
    lookGroups(cases.map(({ question }) => question)).map(([name, belongs]) => [
      name,
      lookFigure(cases.filter(({ question }) => belongs(question)).map(({ result }) => result)),
    ]),
  );
  yield { type: "done", report: { figures, card: Object.entries(figures).flatMap(lookCard) } };
}

function lookCard([name, figure]: [string, LookFigure]): MeasuredFigure[] {
  const about = { unit: "balanced accuracy", cases: figure.questions, data: `${name}, report part` };
  return [
    { name: `Looks at the image: true minus swapped (${name})`, estimate: figure.difference, ...about },
    { name: `Yes/no questions, true image (${name})`, estimate: figure.true_image, ...about },
    { name: `Yes/no questions, swapped image (${name})`, estimate: figure.swapped_image, ...about },
  ];
}

/** By set, and by finding where a set has several; fractures without metal too, which is a known shortcut. */
function lookGroups(asked: readonly LookQuestion[]): [string, (question: LookQuestion) => boolean][] {
  const sets = [...new Set(asked.map(({ set }) => set))];
  return sets.flatMap((set): [string, (question: LookQuestion) => boolean][] => {
    const findings = [...new Set(asked.filter((one) => one.set === set).map(({ finding }) => finding))];
    return [
      [set, (one) => one.set === set],
      ...(findings.length < 2
        ? []
        : findings.map((finding): [string, (question: LookQuestion) => boolean] => [
            `${set} ${finding}`,
            (one) => one.set === set && one.finding === finding,
          ])),
      ...(asked.some((one) => one.set === set && one.hardware)
        ? [
            [`${set} without hardware`, (one: LookQuestion) => one.set === set && !one.hardware] as [
              string,
              (question: LookQuestion) => boolean,
            ],
          ]
        : []),
    ];
  });
}

export function lookFigure(cases: readonly LookCase[]): LookFigure {
  const own = (some: readonly LookCase[]) => balancedAccuracy(some);
  const other = (some: readonly LookCase[]) =>
    balancedAccuracy(some.map(({ truth, swapped }) => ({ truth, answer: swapped })));
  return {
    questions: cases.length,
    yes: cases.filter(({ truth }) => truth).length,
    groups: new Set(cases.map(({ group }) => group)).size,
    true_image: groupBootstrap(cases, own),
    swapped_image: groupBootstrap(cases, other),
    difference: groupBootstrap(cases, (some) => own(some) - other(some)),
  };
}

async function yesOdds(
  { model, question, views }: { model: EvalModel; question: LookQuestion; views: readonly GroundingView[] },
  signal: AbortSignal,
): Promise<number[]> {
  const asked: EvalQuestion = {
    question: question.question,
    choices: question.choices,
    facts: { modality: question.modality, bodyPart: null, view: null },
  };
  const bound = model.bind(asked);
  const plan = planStand({ ...asked, answer: { text: "Yes.", sentences: splitSentences("Yes.") } });
  const embeddings = await bound.encode(
    views.map(({ input }) => input),
    signal,
  );
  const alternatives = embeddings.map((embedding) => [embedding]);
  const scores = await bound.score({ alternatives, continuations: plan.continuations }, signal);
  return scores.map((score) => standsOf(plan, score)[0]!.alone);
}

function imagePath(data: string, { set }: LookQuestion, file: string): string {
  return path.join(data, set, "images", file);
}
