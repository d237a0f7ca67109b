import { appError } from "../../core/errors.ts";
import type { AnswerRecord } from "../../core/question.ts";
import type { StudyUid } from "../../core/study.ts";
import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";

/** Saved answers, each bound to its study. */
export interface Answers {
  /** Replaces an answer with the same id. @throws study-not-found */
  save(answer: AnswerRecord): void;
  /** Oldest first. */
  ofStudy(study: StudyUid): AnswerRecord[];
  /** @throws answer-not-found */
  read(id: string): AnswerRecord;
  /** @throws answer-not-found */
  remove(id: string): void;
}

export function createAnswers(database: Database, tables: SealedTables, catalog: Catalog): Answers {
  function read(id: string): AnswerRecord {
    const answer = tables.get("answers", id) as AnswerRecord | null;
    if (!answer) throw appError("answer-not-found", "This answer is no longer in the archive.");
    return answer;
  }

  return {
    save(answer) {
      const study = answer.subject.studyInstanceUid;
      if (!catalog.findStudy(study)) {
        throw appError("study-not-found", "The study of this answer is no longer in the archive.");
      }
      database.transaction(() =>
        tables.put("answers", { key: answer.id, columns: { study: octets(study) }, body: answer }),
      );
    },
    ofStudy: (study) =>
      (tables.select("answers", { study }) as AnswerRecord[]).toSorted((a, b) =>
        a.askedAt < b.askedAt ? -1 : 1,
      ),
    read,
    remove(id) {
      read(id);
      database.transaction(() => tables.remove("answers", id));
    },
  };
}
