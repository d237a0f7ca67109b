import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { cp, link, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PackTrust } from "../../../../core/model-pack.ts";
import { openPackFolder } from "../../../../models/pack/pack-files.ts";
import { signedBytes } from "../../../../models/pack/signature/bundle.ts";
import { signPack } from "../../../../models/pack/signature/sign-pack.ts";
import { signatureName } from "../../../../models/pack/signature/trust.ts";
import { checkSignature } from "../../../../models/pack/signature/verify-signature.ts";
import { writePack } from "../../../../models/pack/write-pack.ts";

/** make-signature-fixtures.py: a pack, keys and certificates, signed by OpenSSF's model-signing 1.1.1. */
const fixtures = fileURLToPath(new URL("../../../fixtures/models/signatures", import.meta.url));
const text = (name: string) => readFile(path.join(fixtures, name), "utf8");

interface Bundle {
  mediaType: string;
  verificationMaterial: {
    publicKey?: { hint: string };
    x509CertificateChain?: { certificates: { rawBytes: string }[] };
  };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

interface Statement {
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: string;
  predicate: { serialization: Record<string, unknown>; resources: { name: string; digest: string }[] };
}

const statementOf = ({ dsseEnvelope }: Bundle) =>
  JSON.parse(Buffer.from(dsseEnvelope.payload, "base64").toString()) as Statement;

let work: string;
let folder: string;
let byKey: PackTrust;
let byAuthority: PackTrust;

beforeEach(async () => {
  work = await mkdtemp(path.join(tmpdir(), "meditron-signature-"));
  folder = path.join(work, "pack");
  await cp(path.join(fixtures, "pack"), folder, { recursive: true });
  byKey = { unsigned: "refuse", keys: [await text("other.pub"), await text("key.pub")], certificates: [] };
  byAuthority = {
    unsigned: "refuse",
    keys: [],
    certificates: [await text("other-ca.pem"), await text("ca.pem")],
  };
});
afterEach(() => rm(work, { recursive: true, force: true }));

const check = async (trust: PackTrust) => checkSignature(await openPackFolder(folder), trust);
const signature = () => path.join(folder, signatureName);
const bundle = async () => JSON.parse(await readFile(signature(), "utf8")) as Bundle;
const useSignature = async (name: string) => writeFile(signature(), await text(name));
const untrusted = { code: "pack-untrusted" };

async function sign(certificates: readonly string[] = [], key = "key.pem") {
  return signPack(await openPackFolder(folder), {
    key: await text(key),
    passphrase: null,
    certificates: await Promise.all(certificates.map(text)),
  });
}

/** The signed statement changed, and signed again with the same key. */
async function changeStatement(edit: (statement: Statement) => void): Promise<void> {
  const { sign: signBytes } = await import("node:crypto");
  const whole = await bundle();
  const statement = statementOf(whole);
  edit(statement);
  const payload = Buffer.from(JSON.stringify(statement));
  const key = createPrivateKey(await text("key.pem"));
  whole.dsseEnvelope.payload = payload.toString("base64");
  whole.dsseEnvelope.signatures[0]!.sig = signBytes("sha256", signedBytes(payload), key).toString("base64");
  await writeFile(signature(), JSON.stringify(whole));
}

async function changeBundle(edit: (bundle: Bundle) => void): Promise<void> {
  const whole = await bundle();
  edit(whole);
  await writeFile(signature(), JSON.stringify(whole));
}

describe("a signature by OpenSSF's tool", () => {
  it("with a key holds where the policy names the key", async () => {
    await useSignature("by-key.sig");
    expect(await check(byKey)).toEqual({
      type: "key",
      fingerprint: (JSON.parse(await text("by-key.sig")) as Bundle).verificationMaterial.publicKey?.hint,
    });
  });

  it("with a certificate holds where the policy names the authority", async () => {
    await useSignature("by-certificate.sig");
    expect(await check(byAuthority)).toMatchObject({
      type: "certificate",
      subject: "O=Test Hospital, CN=signer",
    });
  });

  it("with a certificate holds where the policy names one between, or the signer's own", async () => {
    await useSignature("by-certificate.sig");
    for (const name of ["issuer.pem", "signer.pem"]) {
      expect(await check({ ...byAuthority, certificates: [await text(name)] })).toMatchObject({
        type: "certificate",
      });
    }
  });

  it("does not hold for a policy that names others", async () => {
    await useSignature("by-key.sig");
    await expect(check({ ...byKey, keys: [await text("other.pub")] })).rejects.toMatchObject(untrusted);
    await useSignature("by-certificate.sig");
    await expect(check({ ...byAuthority, certificates: [await text("other-ca.pem")] })).rejects.toMatchObject(
      untrusted,
    );
  });

  it("of another kind does not hold for a policy that names keys, or certificates, alone", async () => {
    await useSignature("by-key.sig");
    await expect(check(byAuthority)).rejects.toMatchObject(untrusted);
    await useSignature("by-certificate.sig");
    await expect(check(byKey)).rejects.toMatchObject(untrusted);
  });
});

describe("a signature by the app", () => {
  it("with a key holds, and says the same as the tool's", async () => {
    await sign();
    expect(await check(byKey)).toMatchObject({ type: "key" });
    const [ours, theirs] = [await bundle(), JSON.parse(await text("by-key.sig")) as Bundle];
    expect(ours).toMatchObject({
      mediaType: theirs.mediaType,
      verificationMaterial: { publicKey: theirs.verificationMaterial.publicKey },
      dsseEnvelope: { payloadType: theirs.dsseEnvelope.payloadType },
    });
    const [own, other] = [statementOf(ours), statementOf(theirs)];
    expect(own.subject).toEqual(other.subject);
    expect(own.predicateType).toBe(other.predicateType);
    expect(own.predicate.resources).toEqual(other.predicate.resources);
    expect(own.predicate.serialization).toMatchObject({ method: "files", hash_type: "sha256" });
  });

  it("is ECDSA over the envelope's own encoding", async () => {
    await sign();
    const { dsseEnvelope } = await bundle();
    const bytes = signedBytes(Buffer.from(dsseEnvelope.payload, "base64"));
    const key = createPublicKey(await text("key.pub"));
    expect(verify("sha256", bytes, key, Buffer.from(dsseEnvelope.signatures[0]!.sig, "base64"))).toBe(true);
  });

  it("with a certificate holds", async () => {
    const who = await sign(["signer.pem", "issuer.pem"], "signer-key.pem");
    expect(await check(byAuthority)).toEqual(who);
  });

  it.each(["secp384r1", "secp521r1"])("with a key on %s holds", async (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const key = privateKey.export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "pass",
    });
    const opened = await openPackFolder(folder);
    await signPack(opened, { key: key.toString(), passphrase: "pass", certificates: [] });
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    expect(await check({ ...byKey, keys: [pem] })).toMatchObject({ type: "key" });
  });

  it("goes when the pack is described anew", async () => {
    await sign();
    const { pack } = await openPackFolder(folder);
    const { files: _, schema: __, ...rest } = pack;
    await writePack(folder, rest as never);
    await expect(check(byKey)).rejects.toMatchObject(untrusted);
    expect((await openPackFolder(folder)).pack.files.map((file) => file.path)).not.toContain(signatureName);
  });

  it("is not made over files that pack.json does not list", async () => {
    await writeFile(path.join(folder, "note.txt"), "x");
    await expect(sign()).rejects.toMatchObject({ code: "bad-input" });
  });

  it.each<[string, () => Promise<unknown>]>([
    ["a certificate of another key", () => sign(["signer.pem"])],
    ["a public key for a private one", () => sign([], "key.pub")],
    ["a text that is no certificate", () => sign(["key.pub"])],
  ])("is not made with %s", async (_, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ code: "bad-input" });
  });

  it("is not made with an RSA key", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await expect(
      signPack(await openPackFolder(folder), { key, passphrase: null, certificates: [] }),
    ).rejects.toMatchObject({ code: "bad-input" });
  });
});

describe("a pack without a signature", () => {
  it("is used where the policy allows it, and refused else", async () => {
    expect(await check({ ...byKey, unsigned: "allow" })).toBeNull();
    await expect(check(byKey)).rejects.toMatchObject(untrusted);
  });
});

describe("a signature that does not hold", () => {
  const damages: [string, () => Promise<unknown>][] = [
    [
      "a changed pack.json",
      async () => writeFile(path.join(folder, "pack.json"), `${await text("pack/pack.json")} `),
    ],
    [
      "a changed signature",
      () => changeBundle((one) => void (one.dsseEnvelope.signatures[0]!.sig = "MAYCAQECAQE=")),
    ],
    [
      "two signatures",
      () => changeBundle((one) => void one.dsseEnvelope.signatures.push(one.dsseEnvelope.signatures[0]!)),
    ],
    ["no signature", () => changeBundle((one) => void (one.dsseEnvelope.signatures = []))],
    [
      "another type of payload",
      () => changeBundle((one) => void (one.dsseEnvelope.payloadType = "text/plain")),
    ],
    ["another media type", () => changeBundle((one) => void (one.mediaType = "application/json"))],
    ["nobody who signed", () => changeBundle((one) => void (one.verificationMaterial = {}))],
    ["another predicate", () => changeStatement((one) => void (one.predicateType = "https://example.org/x"))],
    [
      "shards for files",
      () => changeStatement((one) => void (one.predicate.serialization["method"] = "shards")),
    ],
    [
      "a root digest of other files",
      () => changeStatement((one) => void (one.subject[0]!.digest.sha256 = "0".repeat(64))),
    ],
    ["a file left out", () => changeStatement((one) => void one.predicate.resources.pop())],
    [
      "a file listed twice",
      () => changeStatement((one) => void one.predicate.resources.push(one.predicate.resources[0]!)),
    ],
    ["two subjects", () => changeStatement((one) => void one.subject.push(one.subject[0]!))],
    ["text that is no JSON", () => writeFile(signature(), "model.sig")],
    ["JSON of another form", () => writeFile(signature(), "[[[]]]")],
    ["nothing in it", () => writeFile(signature(), "")],
  ];
  it.each(damages)("for %s is refused, even where unsigned packs are allowed", async (_, damage) => {
    await sign();
    await damage();
    await expect(check({ ...byKey, unsigned: "allow" })).rejects.toMatchObject(untrusted);
  });

  it("because its certificate is cut off or not one for signatures is refused", async () => {
    await sign(["signer.pem", "issuer.pem"], "signer-key.pem");
    const whole = await readFile(signature(), "utf8");
    const chainOf = (one: Bundle) => one.verificationMaterial.x509CertificateChain!.certificates;
    const edits: ((one: Bundle) => void)[] = [
      (one) => void (chainOf(one)[0]!.rawBytes = chainOf(one)[0]!.rawBytes.slice(0, 40)),
      (one) => void chainOf(one).shift(),
      (one) => void chainOf(one).pop(),
      (one) => void (one.verificationMaterial.x509CertificateChain!.certificates = []),
    ];
    for (const edit of edits) {
      await writeFile(signature(), whole);
      await changeBundle(edit);
      await expect(check(byAuthority)).rejects.toMatchObject(untrusted);
    }
  });

  it("because its file is a link is refused", async () => {
    const outside = path.join(work, "outside");
    await writeFile(outside, await text("by-key.sig"));
    await link(outside, signature());
    await expect(check(byKey)).rejects.toMatchObject({ code: "pack-damaged" });
  });
});

it("a policy whose keys cannot be read says so", async () => {
  await useSignature("by-key.sig");
  await expect(check({ ...byKey, keys: ["not a key"] })).rejects.toMatchObject({ code: "bad-input" });
  await useSignature("by-certificate.sig");
  await expect(check({ ...byAuthority, certificates: ["no"] })).rejects.toMatchObject({ code: "bad-input" });
});
