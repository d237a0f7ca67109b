import { verify, type KeyObject } from "node:crypto";
import { AppError } from "../../../core/errors.ts";
import type { PackSignature, PackSigner, PackTrust } from "../../../core/model-pack.ts";
import { packFileName, readPackFile, type OpenedPack } from "../pack-files.ts";
import { readBundle, signedBytes, type SignatureBundle } from "./bundle.ts";
import { checkChain } from "./certificate-chain.ts";
import { certificateSigner } from "./sign-pack.ts";
import { readStatement } from "./statement.ts";
import {
  digestFor,
  keyFingerprint,
  readCertificates,
  readTrustedKeys,
  signatureName,
  untrusted,
} from "./trust.ts";

const signatureLimit = 32 * 1024 * 1024;

/**
 * Whose signature the pack carries; null: it has none, which `trust` allows. The files themselves are held against
 * pack.json elsewhere (checkFiles); here the signature is held against pack.json.
 * @throws pack-untrusted, bad-input (the policy's keys cannot be read)
 */
export async function checkSignature(opened: OpenedPack, trust: PackTrust): Promise<PackSigner | null> {
  const bytes = await readSignature(opened);
  if (bytes === null) {
    if (trust.unsigned === "allow") return null;
    throw untrusted("it has none, and the policy of this site does not allow that");
  }
  const bundle = readBundle(bytes);
  const signer = signerOf(bundle, trust);
  checkSignedFiles(opened, bundle);
  return signer;
}

/** Holds pack.json, which names every other file's digest, against what was signed. @throws pack-untrusted */
export function checkSignedFiles(opened: OpenedPack, { payload }: SignatureBundle): void {
  const digests = readStatement(payload);
  const used = [{ path: packFileName, sha256: opened.digest }, ...opened.pack.files];
  for (const { path, sha256 } of used) {
    if (digests.get(path) !== sha256)
      throw untrusted(`${path.slice(0, 200)} is not the file that was signed`);
  }
}

/** What is known of the signature; `trust` null: nothing says whose count. @throws pack-untrusted, bad-input */
export async function describeSignature(opened: OpenedPack, trust: PackTrust | null): Promise<PackSignature> {
  const bytes = await readSignature(opened);
  if (bytes !== null && trust === null) return { status: "unchecked" };
  const signer = trust === null ? null : await checkSignature(opened, trust);
  return signer === null ? { status: "none" } : { status: "holds", signer };
}

/** Null: the pack is not signed. @throws pack-damaged (a link, too large) */
export async function readSignature(opened: OpenedPack): Promise<Uint8Array | null> {
  try {
    return await readPackFile(opened, signatureName, signatureLimit);
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "file-not-found") return null;
    throw thrown;
  }
}

/** The signer, once `trust` names it and the signature is its own. @throws pack-untrusted, bad-input */
export function signerOf(bundle: SignatureBundle, trust: PackTrust): PackSigner {
  const { signer } = bundle;
  if (signer.type === "certificates") {
    const certificate = checkChain(signer.chain, readCertificates(trust.certificates));
    if (!holds(bundle, certificate.publicKey))
      throw untrusted("it was made with another key or changed since");
    return certificateSigner(certificate);
  }
  const known = readTrustedKeys(trust.keys);
  const keys = signer.hint === null ? known : known.filter((key) => keyFingerprint(key) === signer.hint);
  if (keys.length === 0) throw untrusted("the policy does not name the key that signed it");
  const key = keys.find((one) => holds(bundle, one));
  if (key === undefined) throw untrusted("it was made with another key or changed since");
  return { type: "key", fingerprint: keyFingerprint(key) };
}

function holds({ payload, signature }: SignatureBundle, key: KeyObject): boolean {
  const digest = digestFor(key);
  return digest !== null && verify(digest, signedBytes(payload), key, signature);
}
