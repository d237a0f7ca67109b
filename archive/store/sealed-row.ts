import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { archiveDamaged } from "./damage.ts";

/**
 * The body of a row: JSON, sealed by AES-256-GCM and bound to its table and key. So a value that was damaged on
 * disk or in libsql's cache is never taken for text, neither by this code nor by libsql, which ends the whole
 * process when it meets a TEXT column that is not UTF-8: no table here has one.
 *
 *     nonce 12, tag 16, cipher text
 */
export function sealRow(key: Uint8Array, place: { table: string; key: string }, body: unknown): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(bound(place));
  const text = Buffer.concat([cipher.update(JSON.stringify(body), "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

/** @throws archive-damaged where it is not what was sealed for this table and key */
export function openRow(key: Uint8Array, place: { table: string; key: string }, sealed: Uint8Array): unknown {
  if (sealed.length < 28) throw archiveDamaged();
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  decipher.setAAD(bound(place));
  decipher.setAuthTag(sealed.subarray(12, 28));
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
    return JSON.parse(text.toString("utf8"));
  } catch (thrown) {
    throw archiveDamaged(thrown);
  }
}

function bound(place: { table: string; key: string }): Buffer {
  return Buffer.from(`${place.table}\0${place.key}`);
}
