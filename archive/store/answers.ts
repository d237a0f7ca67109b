import { appError } from "../../core/errors.ts";
import type { AnswerRecord } from "../../core/question.ts";
import type { StudyUid } from "../../core/study.ts";
import type { Catalog } from "./catalog.ts";
import type { Changes } from "./changes.ts";
import type { Database } from "./database.ts";
import type { ObjectId, ObjectStore } from "./objects.ts";
import { octets, type SealedTables } from "./sealed-tables.ts";

/** Saved answers, each bound to its study. Each is an object too, so that the index can be made again from files. */
export interface Answers {
  /** Replaces an answer with the same id. @throws study-not-found */
  save(answer: AnswerRecord): Promise<void>;
  /** Names an object that holds an answer already. */
  adopt(answer: AnswerRecord, object: ObjectId): void;
  /** Oldest first. */
  ofStudy(study: StudyUid): AnswerRecord[];
  /** @throws answer-not-found */
  read(id: string): AnswerRecord;
  /** @throws answer-not-found */
  remove(id: string): Promise<void>;
}

export interface AnswersOptions {
  readonly database: Database;
  readonly tables: SealedTables;
  readonly objects: ObjectStore;
  readonly catalog: Catalog;
  readonly changes: Changes;
}

/** How the object of an answer begins; no DICOM object and no PNG does. */
export const answerStart = '{"meditron":"answer","record":';

export function createAnswers({ database, tables, objects, catalog, changes }: AnswersOptions): Answers {
  function read(id: string): AnswerRecord {
    const answer = tables.get("answers", id) as AnswerRecord | null;
    if (!answer) throw appError("answer-not-found", "This answer is no longer in the archive.");
    return answer;
  }

  function doom(id: string): void {
    database.run("INSERT OR REPLACE INTO doomed SELECT object FROM answers WHERE id = ?", octets(id));
  }

  function adopt(answer: AnswerRecord, object: ObjectId): void {
    const study = answer.subject.studyInstanceUid;
    if (!catalog.findStudy(study)) {
      throw appError("study-not-found", "The study of this answer is no longer in the archive.");
    }
    database.transaction(() => {
      doom(answer.id);
      const columns = { study: octets(study), object: Buffer.from(object, "hex") };
      tables.put("answers", { key: answer.id, columns, body: answer });
    });
  }

  async function save(answer: AnswerRecord): Promise<void> {
    const content = Buffer.from(`${answerStart}${JSON.stringify(answer)}}`);
    const object = await objects.stage(content.length, single(content));
    await objects.publish([object]);
    try {
      adopt(answer, object);
    } catch (thrown) {
      await objects.remove([object]);
      throw thrown;
    }
    await changes.removeDoomed();
  }

  return {
    save,
    adopt,
    ofStudy: (study) =>
      (tables.select("answers", { study }) as AnswerRecord[]).toSorted((a, b) =>
        a.askedAt < b.askedAt ? -1 : 1,
      ),
    read,
    async remove(id) {
      read(id);
      database.transaction(() => {
        doom(id);
        tables.remove("answers", id);
      });
      await changes.removeDoomed();
    },
  };
}

/** The answer that an object holds; null where it holds something else. */
export function answerIn(content: Uint8Array): AnswerRecord | null {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  if (!text.toString("latin1", 0, answerStart.length).startsWith(answerStart)) return null;
  return (JSON.parse(text.toString("utf8")) as { record: AnswerRecord }).record;
}

async function* single(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
