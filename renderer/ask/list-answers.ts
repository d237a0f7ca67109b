import type { Client } from "../../core/client.ts";
import type { AnswerRecord } from "../../core/question.ts";
import type { StudyUid } from "../../core/study.ts";
import { forgetOpen, type OpenAnswer, openAnswers } from "./open-answers.ts";

export interface ListedAnswers {
  readonly records: readonly AnswerRecord[];
  /** Cut by a reload, and nothing of them was kept. */
  readonly lost: readonly OpenAnswer[];
}

/** The host notices within a second or two that a page has gone, and saves then. */
const waits = [500, 1000, 1500, 3000, 4000];

/**
 * The saved answers of a study; again and again while one that was cut by a reload is not among them yet.
 * `isRunning` tells an answer of this page from one that was cut.
 */
export async function* listAnswers(
  client: Client,
  studyInstanceUid: StudyUid,
  { signal, isRunning }: { readonly signal: AbortSignal; readonly isRunning: (id: string) => boolean },
): AsyncGenerator<ListedAnswers, void, void> {
  for (let attempt = 0; ; attempt += 1) {
    const records = await client.call("answers.list", { studyInstanceUid }, signal);
    for (const { id } of records) if (!isRunning(id)) forgetOpen(id);
    const cut = openAnswers().filter(({ id, study }) => study === studyInstanceUid && !isRunning(id));
    const wait = waits[attempt];
    if (cut.length === 0 || wait === undefined) {
      for (const { id } of cut) forgetOpen(id);
      yield { records, lost: cut };
      return;
    }
    yield { records, lost: [] };
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (signal.aborted) return;
  }
}
