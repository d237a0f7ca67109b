import { createCipheriv, createDecipheriv } from "node:crypto";
import { appError } from "../../core/errors.ts";

/**
 * An object on disk: a header, then segments of 1 MiB, each AES-256-GCM under the object's own key.
 *
 *     0  "MEDIOBJ1"                   8 octets
 *     8  segment size                 uint32, little-endian, as all numbers here
 *    12  zero                         uint32
 *    16  octets of plain text         uint64
 *    24  tag over octets 0 to 24      16 octets
 *    40  segments: cipher text, then its tag of 16 octets
 *
 * Associated data of a segment: object id, segment index, segment count. So a segment that was changed, moved,
 * left out, or taken from another object does not open. The nonce is the index: the key is never used for another
 * object, because the id that it is derived from is random, and an object is written once.
 */

export const segmentSize = 1024 * 1024;
export const headerSize = 40;
export const tagSize = 16;

const magic = Buffer.from("MEDIOBJ1", "latin1");
const headerIndex = 0xffff_ffff;

/** What every segment is bound to. */
export interface ObjectIdentity {
  readonly key: Uint8Array;
  readonly id: Uint8Array;
}

export function segmentCount(size: number): number {
  return Math.ceil(size / segmentSize);
}

export function storedSize(size: number): number {
  return headerSize + size + segmentCount(size) * tagSize;
}

export function encodeHeader(object: ObjectIdentity, size: number): Buffer {
  const header = Buffer.alloc(headerSize);
  magic.copy(header);
  header.writeUInt32LE(segmentSize, 8);
  header.writeBigUInt64LE(BigInt(size), 16);
  const cipher = createCipheriv("aes-256-gcm", object.key, nonce(headerIndex));
  cipher.setAAD(Buffer.concat([object.id, header.subarray(0, 24)]));
  cipher.final();
  cipher.getAuthTag().copy(header, 24);
  return header;
}

/** Octets of plain text. @throws archive-damaged */
export function decodeHeader(object: ObjectIdentity, header: Buffer): number {
  if (header.length < headerSize) throw objectDamaged();
  const decipher = createDecipheriv("aes-256-gcm", object.key, nonce(headerIndex));
  decipher.setAAD(Buffer.concat([object.id, header.subarray(0, 24)]));
  decipher.setAuthTag(header.subarray(24, headerSize));
  try {
    decipher.final();
  } catch (thrown) {
    throw objectDamaged(thrown);
  }
  return Number(header.readBigUInt64LE(16));
}

export function sealSegment(
  object: ObjectIdentity,
  place: { index: number; count: number },
  plain: Uint8Array,
): Buffer {
  const cipher = createCipheriv("aes-256-gcm", object.key, nonce(place.index));
  cipher.setAAD(associated(object, place));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws archive-damaged where it is not the segment that was written at this place of this object */
export function openSegment(
  object: ObjectIdentity,
  place: { index: number; count: number },
  stored: Uint8Array,
): Buffer {
  if (stored.length < tagSize) throw objectDamaged();
  const decipher = createDecipheriv("aes-256-gcm", object.key, nonce(place.index));
  decipher.setAAD(associated(object, place));
  decipher.setAuthTag(stored.subarray(stored.length - tagSize));
  try {
    const plain = decipher.update(stored.subarray(0, stored.length - tagSize));
    decipher.final();
    return plain;
  } catch (thrown) {
    throw objectDamaged(thrown);
  }
}

export function objectDamaged(cause?: unknown): Error {
  return appError(
    "archive-damaged",
    "The stored copy of this image is damaged. Delete its study and import it again.",
    cause,
  );
}

function associated(object: ObjectIdentity, place: { index: number; count: number }): Buffer {
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32LE(place.index, 0);
  numbers.writeUInt32LE(place.count, 4);
  return Buffer.concat([object.id, numbers]);
}

function nonce(index: number): Buffer {
  const octets = Buffer.alloc(12);
  octets.writeUInt32LE(index, 8);
  return octets;
}
