/** An answer that was being given in this window. */
export interface OpenAnswer {
  readonly id: string;
  readonly study: string;
  readonly question: string;
}

const key = "meditron-open-answers";
let leaving = false;
globalThis.addEventListener?.("pagehide", () => (leaving = true));

/**
 * A reload cuts the answers that are being given; the host keeps what was said of them, a moment later. This list, of
 * this window alone, lets the page wait for them instead of showing a study without its last answer.
 */
export function rememberOpen(answer: OpenAnswer): void {
  write([...openAnswers().filter(({ id }) => id !== answer.id), answer]);
}

/** It ended, one way or the other. While the page is being left nothing has ended: it was cut. */
export function forgetOpen(id: string): void {
  if (!leaving) write(openAnswers().filter((answer) => answer.id !== id));
}

export function openAnswers(): readonly OpenAnswer[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key) ?? "[]");
    return Array.isArray(kept) ? (kept as OpenAnswer[]) : [];
  } catch {
    return [];
  }
}

function write(answers: readonly OpenAnswer[]): void {
  sessionStorage.setItem(key, JSON.stringify(answers));
}
