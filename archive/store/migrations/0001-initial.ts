import type { Database } from "../database.ts";

/**
 * Keys are UIDs in ASCII, bodies are sealed rows. `doomed` holds objects whose rows are gone and whose files are to
 * be removed, so that a deletion that was cut short is finished at the next start.
 */
export function initial(database: Pick<Database, "run">): void {
  for (const statement of [
    "CREATE TABLE studies (uid BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE series (uid BLOB PRIMARY KEY, study BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX series_of_study ON series (study)",
    `CREATE TABLE instances (
       uid BLOB PRIMARY KEY, series BLOB NOT NULL, object BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`,
    "CREATE INDEX instances_of_series ON instances (series)",
    "CREATE TABLE thumbnails (series BLOB PRIMARY KEY, object BLOB NOT NULL) WITHOUT ROWID",
    `CREATE TABLE answers (
       id BLOB PRIMARY KEY, study BLOB NOT NULL, object BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`,
    "CREATE INDEX answers_of_study ON answers (study)",
    "CREATE TABLE doomed (object BLOB PRIMARY KEY) WITHOUT ROWID",
  ]) {
    database.run(statement);
  }
}
