import type { Database } from "../database.ts";

/**
 * Files that came with the UID of another one and other content. `object` holds the file, `record` the sealed body
 * once more, so that the index can be made again from the objects alone.
 */
export function variants(database: Pick<Database, "run">): void {
  for (const statement of [
    `CREATE TABLE variants (
       id BLOB PRIMARY KEY, instance BLOB NOT NULL, series BLOB NOT NULL,
       object BLOB NOT NULL, record BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`,
    "CREATE INDEX variants_of_instance ON variants (instance)",
    "CREATE INDEX variants_of_series ON variants (series)",
  ]) {
    database.run(statement);
  }
}
