import type { Database } from "../database.ts";

/** Imports that have begun and not ended, so that one that was cut short can go on. */
export function imports(database: Pick<Database, "run">): void {
  database.run("CREATE TABLE imports (id BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID");
}
