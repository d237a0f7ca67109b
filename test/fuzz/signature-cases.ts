import { cp, link, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import type { PackTrust } from "../../core/model-pack.ts";
import { openPackFolder } from "../../models/pack/pack-files.ts";
import { signatureName } from "../../models/pack/signature/trust.ts";
import { packStandings } from "../../models/pack/signature/standing.ts";
import { checkSignature } from "../../models/pack/signature/verify-signature.ts";
import { never, octets, text, type CaseKind, type CaseSources } from "./model-cases.ts";
import { mutateBytes, mutateJson, pick } from "./mutations.ts";

/** Signatures of OpenSSF's tool, their envelopes, statements and certificates. */
export async function signatureKind({ work, fixtures }: CaseSources): Promise<CaseKind> {
  const from = path.join(fixtures, "signatures");
  const folder = path.join(work, "signed");
  await cp(path.join(from, "pack"), folder, { recursive: true });
  const read = (name: string) => readFile(path.join(from, name), "utf8");
  const signatures = [await read("by-key.sig"), await read("by-certificate.sig")];
  const trust: PackTrust = {
    unsigned: "refuse",
    keys: [await read("key.pub")],
    certificates: [await read("ca.pem")],
  };
  const file = path.join(folder, signatureName);
  const outside = path.join(work, "outside.sig");
  return {
    name: "signature",
    root: work,
    async run(random) {
      const original = pick(random, signatures);
      await writeFile(file, random() < 0.7 ? damaged(original) : mutateBytes(octets(original), random));
      if (random() < 0.1) await linkInPlace(random() < 0.5);
      // What the app shows of it must not fail, whatever it says.
      await packStandings({ folders: ["", work], trustFor: () => trust }, never);
      await checkSignature(await openPackFolder(folder), trust);

      async function linkInPlace(symbolic: boolean): Promise<void> {
        await rename(file, outside);
        await (symbolic ? symlink(outside, file) : link(outside, file));
      }

      function damaged(whole: string): string {
        if (random() < 0.4) return mutateJson(whole, random);
        const bundle = JSON.parse(whole) as {
          dsseEnvelope: { payload: string };
          verificationMaterial: { x509CertificateChain?: { certificates: { rawBytes: string }[] } };
        };
        const chain = bundle.verificationMaterial.x509CertificateChain?.certificates ?? [];
        if (chain.length > 0 && random() < 0.5) {
          const certificate = pick(random, chain);
          const der = mutateBytes(Buffer.from(certificate.rawBytes, "base64"), random);
          certificate.rawBytes = Buffer.from(der).toString("base64");
        } else {
          const statement = text(Buffer.from(bundle.dsseEnvelope.payload, "base64"));
          bundle.dsseEnvelope.payload = Buffer.from(mutateJson(statement, random)).toString("base64");
        }
        return JSON.stringify(bundle);
      }
    },
    async restore() {
      await rm(file, { force: true });
      await rm(outside, { force: true });
      return [];
    },
  };
}
