import { hkdfSync } from "node:crypto";
import { appError } from "../../core/errors.ts";

/** One key for each use, derived from the data key by HKDF-SHA-256 (RFC 5869), so that none opens another's data. */
export interface ArchiveKeys {
  /** libsql's page encryption. */
  readonly database: Uint8Array;
  /** Sealed rows. */
  readonly rows: Uint8Array;
  /** The record of page digests. */
  readonly pages: Uint8Array;
  /** Parent of the keys of the objects. */
  readonly objects: Uint8Array;
  /** The seal of a backup. */
  readonly backup: Uint8Array;
}

/** @throws bad-request where the data key is not 32 octets */
export function deriveKeys(dataKey: Uint8Array): ArchiveKeys {
  if (dataKey.length !== 32) throw appError("bad-request", "The data key has 32 octets.");
  return {
    database: derive(dataKey, { salt: new Uint8Array(), purpose: "database" }),
    rows: derive(dataKey, { salt: new Uint8Array(), purpose: "rows" }),
    pages: derive(dataKey, { salt: new Uint8Array(), purpose: "pages" }),
    objects: derive(dataKey, { salt: new Uint8Array(), purpose: "objects" }),
    backup: derive(dataKey, { salt: new Uint8Array(), purpose: "backup" }),
  };
}

export function objectKey(objects: Uint8Array, id: Uint8Array): Uint8Array {
  return derive(objects, { salt: id, purpose: "object" });
}

function derive(key: Uint8Array, use: { salt: Uint8Array; purpose: string }): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, use.salt, `meditron archive ${use.purpose}`, 32));
}
