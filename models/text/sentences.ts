/** A sentence of an answer; offsets are UTF-16 positions in the whole text, end exclusive. */
export interface SentenceSpan {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Written with a full stop inside a sentence. "No." is absent on purpose: it is an answer. */
const abbreviations: ReadonlySet<string> = new Set(
  (
    "dr mr mrs ms prof st fig figs tab eq ref vs approx ca cf resp incl excl est min max dept " +
    "ant post lat med sup inf prox dist bilat contralat e.g i.e a.p p.a l.l et.al al etc a.m p.m seq vol ed"
  ).split(" "),
);

/** Numbered things: a full stop before a digit does not end a sentence after these. */
const beforeNumbers: ReadonlySet<string> = new Set(["no", "nos", "pp", "p", "seg", "im", "se"]);

/**
 * Splits a text into sentences: at line ends, and after `.`, `!`, `?` and `…` (with closing quotes and brackets)
 * before a blank, but not inside decimals, after an abbreviation or initial, or where a small letter goes on.
 * Spans do not overlap, stand in order and carry no blanks at their ends.
 */
export function splitSentences(text: string): SentenceSpan[] {
  const spans: SentenceSpan[] = [];
  let start = 0;
  const close = (end: number) => {
    const span = trimmed(text, start, end);
    if (span) spans.push(span);
    start = end;
  };
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\n") close(at + 1);
    else if (/[.!?…。！？]/.test(text[at]!)) {
      const end = closingEnd(text, at + 1);
      if (endsSentence(text, { start, stop: at, end })) {
        close(end);
        at = end - 1;
      }
    }
  }
  close(text.length);
  return spans;
}

interface Candidate {
  readonly start: number;
  /** The punctuation mark. */
  readonly stop: number;
  /** Behind further marks, quotes and brackets. */
  readonly end: number;
}

function endsSentence(text: string, { start, stop, end }: Candidate): boolean {
  if (/[。！？]/.test(text[stop]!)) return true;
  const rest = text.slice(end);
  if (rest.trim() === "") return true;
  if (!/^\s/.test(rest)) return false;
  if (/^[ \t]*\n/.test(rest)) return true;
  if (text[stop] !== ".") return true;
  const next = rest.trimStart().replace(/^["'“‘([«]+/u, "");
  if (/^\p{Ll}/u.test(next)) return false;
  const said = text.slice(start, stop);
  // "1. Heart" at the start of a line numbers an item.
  if (/^\s*\d{1,3}$/.test(said)) return false;
  const word = /[\p{L}.]+$/u.exec(said)?.[0].toLowerCase() ?? "";
  if (abbreviations.has(word)) return false;
  if (beforeNumbers.has(word) && /^\d/.test(next) && said.trim().toLowerCase() !== word) return false;
  // An initial: "J. Smith"; but "vitamin C." or "L." at an answer's start are rare enough to lose.
  return !/(?:^|\s)\p{Lu}$/u.test(said);
}

/** Behind "?!", "...", closing quotes and brackets. */
function closingEnd(text: string, from: number): number {
  return from + /^[.!?…]*["'”’)\]»]*/u.exec(text.slice(from))![0].length;
}

function trimmed(text: string, start: number, end: number): SentenceSpan | null {
  const raw = text.slice(start, end);
  const body = raw.trim();
  if (!/[\p{L}\p{N}]/u.test(body)) return null;
  const first = start + raw.indexOf(body);
  return { text: body, start: first, end: first + body.length };
}
