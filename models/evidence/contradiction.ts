import { polarity } from "./negation.ts";
import { afterPolarWord, polarWord } from "./polar.ts";

/**
 * The sentence that says the opposite, by templates (docs/grounding.md, GRD-6): finding affirmed to finding negated
 * and back. Null where no template fits; L is then the mean log-probability of the sentence's content tokens.
 */
type Template = readonly [pattern: RegExp, replacement: string | ((...groups: string[]) => string)];

/** Findings that take no article when affirmed ("There is pneumonia."). */
const withoutArticle =
  /^(?:\w+ )*(?:pneumonia|consolidation|atelectasis|o?edema|emphysema|fibrosis|cardiomegaly|infiltration|thickening|ascites|haemorrhage|hemorrhage|swelling|callus|hardware|calcification|malalignment|air|fluid|evidence|enlargement)\b/i;

function withArticle(finding: string): string {
  if (withoutArticle.test(finding)) return finding;
  return `${/^[aeiou]/i.test(finding) ? "an" : "a"} ${finding}`;
}

const bare = (finding: string) => finding.replace(/^(?:an?|some|any)\s+/i, "");
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const small = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

const seen = "(seen|visible|present|noted|identified|shown|demonstrated|found|evident|suspected|detected)";

const templates: readonly Template[] = [
  [/^(.*)\blooks benign\b(.*)$/i, "$1is suspicious for malignancy$2"],
  [/^(.*)\bis suspicious for malignancy\b(.*)$/i, "$1looks benign$2"],
  [/^(.*) is abnormal$/i, "$1 looks normal"],
  [/^(.*) looks normal$/i, "$1 is abnormal"],
  [/^(.*)\bbenign\b(.*)$/i, "$1malignant$2"],
  [/^(.*)\bmalignant\b(.*)$/i, "$1benign$2"],

  [
    /^there (is|are) (?:no|not any) (.*)$/i,
    (_, verb, finding) => `There ${verb} ${verb!.toLowerCase() === "is" ? withArticle(finding!) : finding}`,
  ],
  [/^there (is|are) (?:an? |some |any )?(.*)$/i, (_, verb, finding) => `There ${verb} no ${finding}`],

  [
    new RegExp(`^no (.*?) (is|are|can be) ${seen}\\b(.*)$`, "i"),
    (_, finding, verb, how, rest) =>
      `${capital(verb!.toLowerCase() === "are" ? finding! : withArticle(finding!))} ${verb} ${how}${rest}`,
  ],
  [new RegExp(`^(.*?) (is|are|can) (?:not|never) (be )?${seen}\\b(.*)$`, "i"), "$1 $2 $3$4$5"],
  [new RegExp(`^(the .*?) (is|are) ${seen}\\b(.*)$`, "i"), "$1 $2 not $3$4"],
  [
    new RegExp(`^(.*?) (is|are|can be) ${seen}\\b(.*)$`, "i"),
    (_, finding, verb, how, rest) => `No ${small(bare(finding!))} ${verb} ${how}${rest}`,
  ],

  [
    /^(.*?) (shows?|demonstrates?|reveals?|has|have) no (.*)$/i,
    (_, subject, verb, finding) => `${subject} ${verb} ${withArticle(finding!)}`,
  ],
  [/^(.*?) (shows?|demonstrates?|reveals?|has|have) (?:an? |some )?(.*)$/i, "$1 $2 no $3"],

  [
    /^(.*?) (is|are|looks?|appears?) (ab)?normal\b(.*)$/i,
    (_, subject, verb, abnormal, rest) => `${subject} ${verb} ${abnormal ? "" : "ab"}normal${rest}`,
  ],
  [/^(.*?) (is|are) not (.*)$/i, "$1 $2 $3"],
  [/^(.*?) (is|are) (.*)$/i, "$1 $2 not $3"],
];

export function contradictionOf(sentence: string): string | null {
  const text = sentence.trim();
  const word = polarWord(text);
  if (word !== null) {
    const other = word === "Yes" ? "No" : "Yes";
    const rest = afterPolarWord(text);
    if (rest === "") return text.replace(/^(yes|no)/i, other);
    const opposite = contradictionOf(rest);
    const link = text.slice(word.length, text.length - rest.length);
    // "Yes, there is a fracture." keeps its small letter after the comma.
    return opposite === null ? null : `${other}${link}${/^[a-z]/.test(rest) ? small(opposite) : opposite}`;
  }
  if (polarity(text) === "mixed" || /[,;:]|\b(?:but|without)\b/i.test(text.replace(/[.!?]+$/, "")))
    return null;
  const [, body, end] = /^(.*?)([.!?]*)$/s.exec(text)!;
  for (const [pattern, replacement] of templates) {
    if (!pattern.test(body!)) continue;
    const opposite = body!
      .replace(pattern, replacement as string)
      .replace(/\s+/g, " ")
      .trim();
    return opposite.toLowerCase() === body!.toLowerCase() ? null : `${opposite}${end}`;
  }
  return null;
}
