import type { AnswerRequest } from "./api.ts";
import type { Packs } from "./answer.ts";
import { groundingView, promptFor } from "./bind-question.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import type { ImageTokens, PromptPart } from "./runtime/prompt-reader.ts";
import { factsOf, judgeScopes } from "./scope.ts";

/**
 * Looks at the images and reads the beginning of a question that is still being written, so that what is left to read
 * when it is asked is little. Changes nothing of the answer. Does nothing for images that the pack is not for.
 * @throws as an answer does
 */
export async function prepareQuestion(
  packs: Packs,
  { question, views }: AnswerRequest,
  signal: AbortSignal,
): Promise<void> {
  const { summary } = await packs.find(question.pack, signal);
  const facts = views.map((view) => factsOf(view.summary.facts, question.modality));
  if (judgeScopes(summary.intendedFor, facts).status === "out" || views.length > summary.maxViews) return;
  const lease = await packs.lease(summary.name, signal);
  const { pack } = lease;
  const reader = pack.readers.borrow();
  try {
    const inputs = views.map((view) => groundingView(pack, view).input);
    const images = await pack.encoder.encode(inputs, signal);
    const parts = writtenParts(pack, { question: question.question, facts: facts[0]! }, images);
    await reader.read({ parts, rows: [] }, signal);
  } finally {
    await pack.readers.giveBack(reader);
    lease.release();
  }
}

/** What of a prompt stays as it is when the question goes on: its last word may become part of another token. */
export function writtenParts(
  pack: LoadedPack,
  { question, facts }: { readonly question: string; readonly facts: ReturnType<typeof factsOf> },
  images: readonly ImageTokens[],
): PromptPart[] {
  const prompt = (text: string) => promptFor(pack, { question: text, choices: null, facts }, images);
  const [now, later] = [prompt(question), prompt(`${question} a`)];
  const last = now.at(-1);
  const other = later.at(-1);
  if (last?.type !== "text" || other?.type !== "text") return now.slice(0, -1);
  const changed = last.ids.findIndex((id, at) => id !== other.ids[at]);
  return [...now.slice(0, -1), { type: "text", ids: last.ids.slice(0, changed < 0 ? undefined : changed) }];
}
