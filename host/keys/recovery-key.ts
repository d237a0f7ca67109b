import { createHash, randomBytes } from "node:crypto";
import { appError } from "../../core/errors.ts";

/**
 * The recovery key: 160 random bits as 32 letters, then 4 letters of checksum, in groups of four
 * ("7K2M-…"). Crockford's alphabet: no I, L, O or U, and the look-alikes are read as what was meant.
 */

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const secretBytes = 20;
const checksumLetters = 4;

export function newRecoverySecret(): Buffer {
  return randomBytes(secretBytes);
}

export function formatRecoveryKey(secret: Uint8Array): string {
  return (encode(secret) + checksum(secret)).match(/.{4}/g)!.join("-");
}

/** @throws bad-input where it was mistyped; nothing was tried with it then. */
export function parseRecoveryKey(text: string): Buffer {
  const letters = text.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll(/[IL]/g, "1").replaceAll("O", "0");
  const secretLetters = (secretBytes * 8) / 5;
  const digits = [...letters].map((letter) => alphabet.indexOf(letter));
  const secret = decode(digits.slice(0, secretLetters));
  if (
    letters.length !== secretLetters + checksumLetters ||
    digits.includes(-1) ||
    checksum(secret) !== letters.slice(secretLetters)
  ) {
    throw appError(
      "bad-input",
      "The recovery key was mistyped. It has nine groups of four letters or digits.",
    );
  }
  return secret;
}

function checksum(secret: Uint8Array): string {
  return encode(createHash("sha256").update("meditron recovery key").update(secret).digest()).slice(
    0,
    checksumLetters,
  );
}

function encode(octets: Uint8Array): string {
  let bits = "";
  for (const octet of octets) bits += octet.toString(2).padStart(8, "0");
  const groups = bits.match(/.{5}/g) ?? [];
  return groups.map((group) => alphabet[Number.parseInt(group, 2)]).join("");
}

function decode(digits: number[]): Buffer {
  const bits = digits.map((digit) => Math.max(digit, 0).toString(2).padStart(5, "0")).join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}
