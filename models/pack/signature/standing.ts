import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { AppError, throwIfAborted } from "../../../core/errors.ts";
import type { PackSigner, PackStanding, PackTrust } from "../../../core/model-pack.ts";
import { openPackFolder, type OpenedPack } from "../pack-files.ts";
import { openBase } from "../read-pack.ts";
import { readBundle, type SignatureBundle } from "./bundle.ts";
import { readCertificate } from "./certificate-chain.ts";
import { certificateSigner } from "./sign-pack.ts";
import { checkSignedFiles, readSignature, signerOf } from "./verify-signature.ts";

/** Which of the pack folders came with the app, and whose signatures count for a pack folder elsewhere. */
export interface StandingFolders {
  readonly folders: readonly string[];
  trustFor(folder: string): PackTrust | null;
}

/**
 * Who signed each pack that can be asked and whether it may be used here, with those that cannot be read. A pack's other
 * files are compared with pack.json when it is loaded, not here.
 * @throws cancelled
 */
export async function packStandings(from: StandingFolders, signal: AbortSignal): Promise<PackStanding[]> {
  const found: PackStanding[] = [];
  for (const parent of from.folders) {
    for (const name of await folderNames(parent)) {
      throwIfAborted(signal);
      const shipped = parent === from.folders[0];
      const standing = await standingOf(join(parent, name), name, shipped ? "shipped" : from);
      if (standing !== null) found.push(standing);
    }
  }
  return found;
}

async function folderNames(parent: string): Promise<string[]> {
  try {
    const entries = await readdir(parent, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.endsWith(".importing"))
      .map(({ name }) => name)
      .toSorted();
  } catch {
    return [];
  }
}

/** Null: no pack, or a language model alone, which answers through the packs that are built on it. */
async function standingOf(
  folder: string,
  name: string,
  from: StandingFolders | "shipped",
): Promise<PackStanding | null> {
  let opened: OpenedPack;
  try {
    opened = await openPackFolder(folder);
    if (opened.pack.kind === "language-model") return null;
    await openBase(opened);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    if (thrown.code === "pack-not-found") return null;
    const refused = { status: "refused", cause: "damaged", reason: thrown.message } as const;
    return { name, digest: null, signed: false, signer: null, decision: refused };
  }
  const about = { name: opened.pack.name, digest: opened.digest };
  if (from === "shipped") return { ...about, ...(await claimed(opened)), decision: { status: "shipped" } };
  return { ...about, ...(await judge(opened, from.trustFor(folder))) };
}

type Judged = Pick<PackStanding, "signed" | "signer" | "decision">;

async function judge(opened: OpenedPack, trust: PackTrust | null): Promise<Judged> {
  if (trust === null) return { ...(await claimed(opened)), decision: { status: "no-policy" } };
  let step: "unreadable" | "unknown-signer" | "changed" = "unreadable";
  let signer: PackSigner | null = null;
  try {
    const bytes = await readSignature(opened);
    if (bytes === null) return { signed: false, signer, decision: unsignedDecision(trust) };
    const bundle = readBundle(bytes);
    signer = claimedSigner(bundle);
    step = "unknown-signer";
    signer = signerOf(bundle, trust);
    step = "changed";
    checkSignedFiles(opened, bundle);
    return { signed: true, signer, decision: { status: "trusted" } };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { signed: true, signer, decision: { status: "refused", cause: step, reason: thrown.message } };
  }
}

function unsignedDecision({ unsigned }: PackTrust): PackStanding["decision"] {
  if (unsigned === "allow") return { status: "allowed" };
  return {
    status: "refused",
    cause: "unsigned",
    reason: "The model pack is not signed, and the policy of this site does not allow that.",
  };
}

/** What the signature says of its signer, believed by nobody. */
async function claimed(opened: OpenedPack): Promise<Pick<PackStanding, "signed" | "signer">> {
  try {
    const bytes = await readSignature(opened);
    if (bytes === null) return { signed: false, signer: null };
    return { signed: true, signer: claimedSigner(readBundle(bytes)) };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { signed: true, signer: null };
  }
}

function claimedSigner({ signer }: SignatureBundle): PackSigner | null {
  if (signer.type === "certificates")
    return certificateSigner(readCertificate(signer.chain[0] as Uint8Array));
  const named = signer.hint !== null && /^[0-9a-f]{64}$/.test(signer.hint);
  return named ? { type: "key", fingerprint: signer.hint as string } : null;
}
