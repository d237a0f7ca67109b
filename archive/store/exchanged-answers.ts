import type { AnswerRecord } from "../../core/question.ts";
import type { Variants } from "./variants.ts";

const warning =
  "Since this answer was given, the study shows another file of an image that it is about. Ask again to ask about that one.";

/**
 * The answer with a word that its images are no longer those in view, where somebody chose another file of one of
 * them. It is told on reading and never saved: the choice is what the archive knows.
 */
export function withExchange(answer: AnswerRecord, variants: Pick<Variants, "ofInstance">): AnswerRecord {
  const instances = new Set(
    answer.answer.views.flatMap(({ source }) => ("instance" in source ? [source.instance] : [])),
  );
  const chosen = [...instances]
    .flatMap((instance) => variants.ofInstance(instance))
    .flatMap(({ chosenAt }) => (chosenAt !== undefined && chosenAt > answer.askedAt ? [chosenAt] : []))
    .toSorted();
  const imageExchangedAt = chosen.at(-1);
  if (imageExchangedAt === undefined) return answer;
  const warnings = [...answer.answer.warnings, warning];
  return { ...answer, answer: { ...answer.answer, warnings }, imageExchangedAt };
}
