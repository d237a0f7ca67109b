import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PackStanding, PackTrust } from "../../../../core/model-pack.ts";
import { openPackFolder } from "../../../../models/pack/pack-files.ts";
import { signPack } from "../../../../models/pack/signature/sign-pack.ts";
import { packStandings } from "../../../../models/pack/signature/standing.ts";
import { writeKnownAnswerPack } from "../../../fixtures/known-answer/write-known-answer-pack.ts";

const keys = fileURLToPath(new URL("../../../fixtures/models/signatures", import.meta.url));
const { signal } = new AbortController();
const names = ["by-certificate", "by-key", "changed", "garbled", "no-description", "unsigned"];
let folder: string;
let site: PackTrust;

const added = (name: string) => path.join(folder, "added", name);
const pem = (name: string) => readFile(path.join(keys, name), "utf8");

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-standing-"));
  await mkdir(added("no-pack-at-all"), { recursive: true });
  const pack = { patches: [], calibration: null };
  await writeKnownAnswerPack(path.join(folder, "shipped"), "blind", { name: "own", ...pack });
  for (const name of names)
    await writeKnownAnswerPack(path.join(folder, "added"), "blind", { name, ...pack });
  const key = await pem("key.pem");
  for (const name of ["by-key", "changed", "garbled"]) {
    await signPack(await openPackFolder(added(name)), { key, passphrase: null, certificates: [] });
  }
  await signPack(await openPackFolder(added("by-certificate")), {
    key: await pem("signer-key.pem"),
    passphrase: null,
    certificates: [await pem("signer.pem"), await pem("issuer.pem")],
  });
  const changed = path.join(added("changed"), "pack.json");
  await writeFile(changed, `${await readFile(changed, "utf8")} `);
  await writeFile(path.join(added("garbled"), "model.sig"), "{");
  await writeFile(path.join(added("no-description"), "pack.json"), "{}");
  await cp(added("unsigned"), added("unsigned.importing"), { recursive: true });
  site = { unsigned: "refuse", keys: [await pem("key.pub")], certificates: [] };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function standings(trust: PackTrust | null): Promise<Map<string, PackStanding>> {
  const folders = [path.join(folder, "shipped"), path.join(folder, "added")];
  const found = await packStandings({ folders, trustFor: () => trust }, signal);
  expect(found.map(({ name }) => name)).toEqual(["own", ...names]);
  return new Map(found.map((one) => [one.name, one]));
}

it("a policy decides about each pack, and says who signed it", async () => {
  const found = await standings(site);
  const decisions = [...found.values()].map(({ name, decision }) => [
    name,
    decision.status === "refused" ? decision.cause : decision.status,
  ]);
  expect(decisions).toEqual([
    ["own", "shipped"],
    ["by-certificate", "unknown-signer"],
    ["by-key", "trusted"],
    ["changed", "changed"],
    ["garbled", "unreadable"],
    ["no-description", "damaged"],
    ["unsigned", "unsigned"],
  ]);
  const signer = found.get("by-key")!.signer;
  expect(signer).toMatchObject({ type: "key", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
  // Whom a refused signature names is what IT would have to trust.
  expect(found.get("changed")!.signer).toEqual(signer);
  expect(found.get("by-certificate")!.signer).toMatchObject({
    type: "certificate",
    subject: expect.stringContaining("CN="),
  });
  expect(found.get("garbled")).toMatchObject({ signed: true, signer: null });
});

it("a policy that names the authority takes the certificate's pack, and one that allows it the unsigned one", async () => {
  const certificates = [await pem("ca.pem")];
  const found = await standings({ unsigned: "allow", keys: [], certificates });
  expect(found.get("by-certificate")!.decision).toEqual({ status: "trusted" });
  expect(found.get("unsigned")!.decision).toEqual({ status: "allowed" });
  expect(found.get("by-key")!.decision).toMatchObject({ status: "refused", cause: "unknown-signer" });
});

it("without a policy nothing but a damaged pack is refused, and a signer is named without being checked", async () => {
  const found = await standings(null);
  const refused = [...found.values()].filter(({ decision }) => decision.status === "refused");
  expect(refused.map(({ name, digest }) => [name, digest])).toEqual([["no-description", null]]);
  expect(found.get("by-key")).toMatchObject({ signed: true, decision: { status: "no-policy" } });
  expect(found.get("by-key")!.signer).not.toBeNull();
  expect(found.get("unsigned")).toMatchObject({ signed: false, signer: null });
});
