import { createHash, createPublicKey, X509Certificate, type KeyObject } from "node:crypto";
import { appError, type AppError } from "../../../core/errors.ts";

/** The signature's file in a pack folder: the name that OpenSSF's tool uses where none is given. */
export const signatureName = "model.sig";

export function untrusted(what: string, cause?: unknown): AppError {
  return appError("pack-untrusted", `The model pack's signature does not hold: ${what}.`, cause);
}

/** Digests that go with the curves that OpenSSF Model Signing takes, by OpenSSL's names. */
const digests: Readonly<Record<string, string>> = {
  prime256v1: "sha256",
  secp384r1: "sha384",
  secp521r1: "sha512",
};

/** Null: no key that signs packs. */
export function digestFor(key: KeyObject): string | null {
  const curve = key.asymmetricKeyType === "ec" ? key.asymmetricKeyDetails?.namedCurve : undefined;
  return curve !== undefined && Object.hasOwn(digests, curve) ? (digests[curve] as string) : null;
}

/** As OpenSSF's tool names a key. */
export function keyFingerprint(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "pem" }))
    .digest("hex");
}

/** @throws bad-input */
export function readTrustedKeys(texts: readonly string[]): KeyObject[] {
  return texts.map((text) => {
    try {
      const key = createPublicKey(text);
      if (digestFor(key) !== null) return key;
    } catch (cause) {
      throw appError("bad-input", "A public key that signatures are checked with cannot be read.", cause);
    }
    throw appError(
      "bad-input",
      "Signatures are checked with keys on the curves P-256, P-384 and P-521 only.",
    );
  });
}

/** @throws bad-input */
export function readCertificates(texts: readonly string[]): X509Certificate[] {
  try {
    return texts.flatMap((text) => {
      const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
      if (blocks === null) throw new Error("no certificate");
      return blocks.map((block) => new X509Certificate(block));
    });
  } catch (cause) {
    throw appError("bad-input", "A certificate cannot be read: it must be in PEM form.", cause);
  }
}
