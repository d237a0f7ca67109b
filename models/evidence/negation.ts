import { afterPolarWord, isPolarQuestion, polarWord } from "./polar.ts";

/**
 * Whether a sentence states findings as present or as absent, by a list of rules (docs/grounding.md, GRD-2). A sentence that states something present and something absent is "mixed". After the idea of NegEx
 * (Chapman et al., J Biomed Inform 2001), cut down to short declarative sentences.
 */
export type Polarity = "affirmed" | "negated" | "mixed";

/** Look like negations and are none; they are blanked out before cues are counted. */
const pseudoNegations = [
  /\bno (?:significant |interval |definite |relevant )?(?:change|increase|decrease|progression)\b/g,
  /\bwithout (?:significant |interval )?(?:change|increase|decrease|contrast|difficulty)\b/g,
  /\bnot (?:only|necessarily|certain|sure|clear (?:if|whether))\b/g,
  /\bno doubt\b/g,
  /\bno longer than\b/g,
];

/** Two negations in one idiom, or "cannot be excluded": states a finding as present or possible. */
const affirmingIdioms = [
  /\b(?:cannot|can't|could not|can not|not)(?: be)? (?:entirely |completely |fully )?(?:exclude[ds]?|rule[ds]? out|ruled out)\b/g,
  /\bnot without\b/g,
  /\bno (?:absence|lack) of\b/g,
];

/** One negation each. Longer idioms first: they hold shorter ones. */
const cues = [
  /\b(?:rules?|ruled) out\b/g,
  /\b(?:exclude[sd]?|excluding)\b/g,
  /\babsence of\b/g,
  /\b(?:lack of|lacks|lacking)\b/g,
  /\bfail(?:s|ed)? to (?:show|reveal|demonstrate)\b/g,
  /\bnegative\b/g,
  /\bfree (?:of|from)\b/g,
  /\bcannot\b/g,
  /\b\w+n't\b/g,
  /\b(?:no longer|no|not|none|never|neither|without|absent|resolved)\b/g,
  // A statement of normality states that findings are absent.
  /\b(?:normal|unremarkable|clear|intact)\b/g,
];

const clauseBreak =
  /[;:]|(?:,\s*)?\b(?:but|however|although|though|whereas|while|except(?: for)?|apart from|aside from|other than|yet|which)\b|,\s*(?=(?:and\s+)?there\s+(?:is|are)\b)|\band\s+(?=there\s+(?:is|are)\b)/g;

/** "a nodule without calcification": the finding before it is affirmed; "the lungs are without nodules" is one clause. */
const withoutBreak = /(?<!\b(?:is|are|was|were|appears?|looks?|remains?|not))\s+(?=without\b|with no\b)/g;

/** Words that say nothing about a finding by themselves. */
const hollow = new Set(
  "a an the there is are was were be been of in on at to with this that these those it its image images scan study view radiograph film x-ray xray chest and or any evidence sign signs seen visible present noted identified shown shows show demonstrates reveals appears appear looks look here which also".split(
    " ",
  ),
);

export function polarity(sentence: string): Polarity {
  const statements = clauses(afterPolarWord(sentence)).flatMap((clause) => {
    const negated = clauseNegated(clause);
    return negated === null ? [] : [negated];
  });
  if (statements.length === 0) return polarWord(sentence) === "No" ? "negated" : "affirmed";
  if (statements.every((negated) => negated)) return "negated";
  return statements.some((negated) => negated) ? "mixed" : "affirmed";
}

/**
 * Whether a sentence states nothing but absence. A bare "Yes." or "No." takes its meaning from the question: "No."
 * to "Is the chest normal?" states a finding.
 */
export function statesAbsence(sentence: string, question: string): boolean {
  const word = polarWord(sentence);
  if (word !== null && afterPolarWord(sentence) === "") {
    if (!isPolarQuestion(question)) return word === "No";
    const asksForAbsence = polarity(declarative(question)) === "negated";
    return asksForAbsence === (word === "Yes");
  }
  return polarity(sentence) === "negated";
}

/** "Isn't there a fracture?" asks the same as "Is there a fracture?". */
function declarative(question: string): string {
  return question
    .replace(/^\s*(is|are|was|were|does|do|did|has|have|could|would)n't\b/i, "$1")
    .replace(/\?\s*$/, "");
}

function clauses(sentence: string): string[] {
  return sentence
    .toLowerCase()
    .replace(/[’]/g, "'")
    .replace(/[.!?]+\s*$/, "")
    .split(clauseBreak)
    .flatMap((clause) => (clause ?? "").split(withoutBreak))
    .map((clause) => clause.trim())
    .filter((clause) => clause.length > 0);
}

/** Null where the clause states nothing. An even number of cues is an affirmation. */
function clauseNegated(clause: string): boolean | null {
  let rest = clause;
  for (const pattern of [...pseudoNegations, ...affirmingIdioms]) rest = rest.replace(pattern, " ");
  let negations = 0;
  for (const cue of cues) {
    rest = rest.replace(cue, (found) => {
      negations += 1;
      return /^(?:normal|unremarkable|clear|intact)$/.test(found) ? "finding" : " ";
    });
  }
  const words = rest.match(/[\p{L}\p{N}-]+/gu) ?? [];
  const hasContent = words.some((word) => !hollow.has(word)) || negations > 0 || rest !== clause;
  return hasContent ? negations % 2 === 1 : null;
}
