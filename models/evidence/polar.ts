/**
 * Which questions are polar, and which sentence of an answer gives the polar answer (docs/grounding.md, GRD-5).
 */

const polarStart =
  /^(?:please\s+tell\s+me\s+(?:if|whether)|is|isn't|are|aren't|was|were|does|doesn't|do|did|has|have|can|could|will|would|should|may|might|must)\b/i;
const embeddedPolar = /\b(?:say|tell|decide|judge|assess|check)\b[^?.]*\b(?:if|whether)\b/i;
/** "Is it benign or malignant?" asks for one of two things; "Is there a fracture or not?" stays polar. */
const alternative = /\bor\b(?!\s+(?:not|no)\b)/i;
/** "Is there a fracture or a dislocation?" is read as one finding or the other: the list follows "a", "an", "any". */
const listOfFindings = /\b(?:there|show|shows|see|have|has)\b.*\b(?:a|an|any|evidence|signs?)\b.*\bor\b/i;

export function isPolarQuestion(question: string): boolean {
  // Only the last sentence asks; what stands before it (a clinical remark) does not.
  const asked = question
    .trim()
    .split(/(?<=[.!?])\s+/)
    .filter((part) => part.length > 0)
    .at(-1);
  if (asked === undefined) return false;
  if (!polarStart.test(asked) && !embeddedPolar.test(asked)) return false;
  return !alternative.test(asked) || listOfFindings.test(asked);
}

export type PolarWord = "Yes" | "No";

/** The word with which a sentence answers a polar question, in the case that a sentence starts with; else null. */
export function polarWord(sentence: string): PolarWord | null {
  const word = /^\s*(yes|no)\b(?=\s*[.,;:!]|\s*$)/i.exec(sentence)?.[1]?.toLowerCase();
  return word === "yes" ? "Yes" : word === "no" ? "No" : null;
}

/** What a sentence says after its "Yes," or "No."; "" where it says nothing else. */
export function afterPolarWord(sentence: string): string {
  return polarWord(sentence) === null
    ? sentence.trim()
    : sentence.replace(/^\s*(?:yes|no)\b[\s.,;:!]*/i, "").trim();
}
