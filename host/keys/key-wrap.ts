import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from "node:crypto";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";

/**
 * The data key sealed by a wrapping key: AES-256-GCM, with the archive's id and everything else that stands beside
 * it in `keys.json` as associated data, so that a wrap cannot be moved to another archive or have its parameters
 * lowered.
 */

const hex = v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2})+$/));
const integer = v.pipe(v.number(), v.integer());

export const sealedSchema = v.object({ nonce: hex, ciphertext: hex, tag: hex });
export type Sealed = v.InferOutput<typeof sealedSchema>;

/** Bounds keep a forged file from asking for hours or for all memory. */
export const scryptSchema = v.object({
  name: v.literal("scrypt"),
  n: v.pipe(integer, v.minValue(2 ** 17), v.maxValue(2 ** 20)),
  r: v.pipe(integer, v.minValue(8), v.maxValue(16)),
  p: v.pipe(integer, v.minValue(1), v.maxValue(4)),
  salt: hex,
});
export type ScryptParameters = v.InferOutput<typeof scryptSchema>;

/** About 128 MiB and half a second a guess (RFC 7914; OWASP asks for n = 2^17, r = 8, p = 1). */
export function newScryptParameters(): ScryptParameters {
  return { name: "scrypt", n: 2 ** 17, r: 8, p: 1, salt: randomBytes(16).toString("hex") };
}

export function keyFromPassphrase(passphrase: string, parameters: ScryptParameters): Promise<Buffer> {
  const { n, r, p, salt } = parameters;
  // The same passphrase typed on another keyboard may come in another Unicode form.
  const secret = passphrase.normalize("NFKC");
  return new Promise((resolve, reject) => {
    const options = { N: n, r, p, maxmem: 256 * n * r };
    scrypt(secret, Buffer.from(salt, "hex"), 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

/** For secrets that are random already. */
export function keyFromSecret(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, Buffer.alloc(0), `meditron ${purpose}`, 32));
}

export function seal(dataKey: Uint8Array, wrappingKey: Uint8Array, bound: unknown): Sealed {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", wrappingKey, nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(bound)));
  const ciphertext = Buffer.concat([cipher.update(dataKey), cipher.final()]);
  return {
    nonce: nonce.toString("hex"),
    ciphertext: ciphertext.toString("hex"),
    tag: cipher.getAuthTag().toString("hex"),
  };
}

/** Null where the wrapping key is another, or what is bound to it was changed. */
export function unseal(sealed: Sealed, wrappingKey: Uint8Array, bound: unknown): Buffer | null {
  const [nonce, tag] = [Buffer.from(sealed.nonce, "hex"), Buffer.from(sealed.tag, "hex")];
  if (nonce.length !== 12 || tag.length !== 16) throw keysDamaged();
  const decipher = createDecipheriv("aes-256-gcm", wrappingKey, nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(JSON.stringify(bound)));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(Buffer.from(sealed.ciphertext, "hex")), decipher.final()]);
  } catch {
    return null;
  }
}

export function keysDamaged(cause?: unknown): Error {
  return appError(
    "archive-damaged",
    "The file keys.json in the data folder is damaged. Restore it from a backup.",
    cause,
  );
}
