/**
 * Whether a sentence can be read without the ones before it (docs/grounding.md, GRD-8). One that starts with a
 * pronoun or a connective, or that names "the" thing of an earlier sentence by such a word, cannot.
 */
const leaning =
  /^\s*(?:it|its|this|these|those|they|their|he|she|such|both|the latter|the former|also|therefore|thus|hence|however|moreover|additionally|in addition|otherwise|instead|so|then)\b/i;

export function standsAlone(sentence: string): boolean {
  return !leaning.test(sentence);
}
