import { createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { lstat, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { appError } from "../../../core/errors.ts";
import type { PackSigner } from "../../../core/model-pack.ts";
import { packFileName, type OpenedPack } from "../pack-files.ts";
import { signedBytes, writeBundle, type Signer } from "./bundle.ts";
import { writeStatement } from "./statement.ts";
import { digestFor, keyFingerprint, readCertificates, signatureName } from "./trust.ts";

export interface SigningKey {
  /** PEM. */
  readonly key: string;
  readonly passphrase: string | null;
  /** PEM: the signer's certificate, then those that lead to its authority; empty: the key alone. */
  readonly certificates: readonly string[];
}

/**
 * Signs a pack whose files have been checked, and writes the signature into its folder. It speaks for every file:
 * pack.json names the digests of the others, and OpenSSF's tool compares them all.
 * @throws bad-input
 */
export async function signPack(opened: OpenedPack, signing: SigningKey): Promise<PackSigner> {
  const key = readPrivateKey(signing);
  const { signer, who } = signerOf(key, signing.certificates);
  await refuseOtherFiles(opened);
  const files = [
    { path: packFileName, sha256: opened.digest },
    ...opened.pack.files.map(({ path, sha256 }) => ({ path, sha256 })),
  ];
  const payload = writeStatement(basename(opened.folder), files, [signatureName]);
  const signature = sign(digestFor(key), signedBytes(payload), key);
  const target = join(opened.folder, signatureName);
  const draft = `${target}.new`;
  try {
    await writeFile(draft, writeBundle({ signer, payload, signature }), { flush: true });
    await rename(draft, target);
  } finally {
    await rm(draft, { force: true });
  }
  return who;
}

function readPrivateKey({ key: text, passphrase }: SigningKey): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, ...(passphrase === null ? {} : { passphrase }) });
  } catch (cause) {
    throw appError("bad-input", "The private key cannot be read: PEM is needed, with its passphrase.", cause);
  }
  if (digestFor(key) !== null) return key;
  throw appError("bad-input", "Packs are signed with a key on the curve P-256, P-384 or P-521.");
}

function signerOf(key: KeyObject, texts: readonly string[]): { signer: Signer; who: PackSigner } {
  const fingerprint = keyFingerprint(createPublicKey(key));
  const [own, ...others] = readCertificates(texts);
  if (own === undefined)
    return { signer: { type: "key", hint: fingerprint }, who: { type: "key", fingerprint } };
  if (!own.checkPrivateKey(key))
    throw appError("bad-input", "The first certificate is not that of the private key.");
  return {
    signer: { type: "certificates", chain: [own, ...others].map(({ raw }) => raw) },
    who: certificateSigner(own),
  };
}

export function certificateSigner(certificate: {
  readonly subject: string;
  readonly fingerprint256: string;
}): PackSigner {
  return {
    type: "certificate",
    subject: certificate.subject.replaceAll("\n", ", ").slice(0, 200),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** A signature over a folder with files that pack.json does not list would not hold for OpenSSF's tool. */
async function refuseOtherFiles({ folder, pack }: OpenedPack): Promise<void> {
  const listed = new Set([packFileName, signatureName, ...pack.files.map(({ path }) => path)]);
  for (const path of await filesBelow(folder, "")) {
    if (!listed.has(path))
      throw appError("bad-input", `The pack's folder holds a file that pack.json does not list: ${path}.`);
  }
}

async function filesBelow(folder: string, below: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(join(folder, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if ((await lstat(join(folder, path))).isDirectory()) found.push(...(await filesBelow(folder, path)));
    else found.push(path);
  }
  return found;
}
