import type { Database, SqlRow, SqlValue } from "./database.ts";
import { openRow, sealRow } from "./sealed-row.ts";

/** Tables whose rows are a key and a sealed body. */
export type SealedTable = "studies" | "series" | "instances" | "answers" | "variants" | "imports";

/** The database with sealed rows: values go in and come out as objects. */
export interface SealedTables {
  get(table: SealedTable, key: string): unknown;
  /** Bodies of the rows that `where` selects, e.g. `{ study: uid }`; null selects all. */
  select(table: SealedTable, where: Readonly<Record<string, string>> | null): unknown[];
  /** `columns` are those beside key and body: UIDs as text, objects as hex. */
  put(
    table: SealedTable,
    row: { key: string; columns: Readonly<Record<string, Buffer>>; body: unknown },
  ): void;
  remove(table: SealedTable, key: string): void;
}

export function createSealedTables(database: Database, rowKey: Uint8Array): SealedTables {
  const keyColumn = (table: SealedTable) =>
    table === "studies" || table === "series" || table === "instances" ? "uid" : "id";

  function opened(table: SealedTable, row: SqlRow): unknown {
    const key = (row["key"] as Buffer).toString("latin1");
    return openRow(rowKey, { table, key }, row["body"] as Buffer);
  }

  function select(table: SealedTable, where: Readonly<Record<string, string>> | null): unknown[] {
    const columns = Object.keys(where ?? {});
    const condition =
      columns.length > 0 ? ` WHERE ${columns.map((name) => `${name} = ?`).join(" AND ")}` : "";
    const values: SqlValue[] = columns.map((name) => octets(where![name]!));
    return database
      .all(`SELECT ${keyColumn(table)} AS key, body FROM ${table}${condition}`, ...values)
      .map((row) => opened(table, row));
  }

  return {
    get: (table, key) => select(table, { [keyColumn(table)]: key })[0] ?? null,
    select,
    put(table, { key, columns, body }) {
      const names = [keyColumn(table), ...Object.keys(columns), "body"];
      const values = [octets(key), ...Object.values(columns), sealRow(rowKey, { table, key }, body)];
      const marks = names.map(() => "?").join(", ");
      database.run(`INSERT OR REPLACE INTO ${table} (${names.join(", ")}) VALUES (${marks})`, ...values);
    },
    remove(table, key) {
      database.run(`DELETE FROM ${table} WHERE ${keyColumn(table)} = ?`, octets(key));
    },
  };
}

/** UIDs and ids are ASCII; as blobs they come back unread by libsql. */
export function octets(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
