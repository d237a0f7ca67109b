import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PackTrust } from "../../../../core/model-pack.ts";
import { createInferenceService } from "../../../../models/inference-service.ts";
import { runtimeOpeners } from "../../../../models/runtime/runtime.ts";
import { writeKnownAnswerPack } from "../../../fixtures/known-answer/write-known-answer-pack.ts";

const keys = fileURLToPath(new URL("../../../fixtures/models/signatures", import.meta.url));
const { signal } = new AbortController();
const service = createInferenceService(runtimeOpeners(() => undefined));
let folder: string;
let site: PackTrust;

const shipped = () => path.join(folder, "shipped");
const added = (name: string) => path.join(folder, "added", name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-trust-"));
  await mkdir(added(""), { recursive: true });
  const pack = { patches: [], calibration: null };
  await writeKnownAnswerPack(shipped(), "blind", { name: "own", ...pack });
  for (const name of ["signed", "unsigned", "changed"]) {
    await writeKnownAnswerPack(path.join(folder, "added"), "blind", { name, ...pack });
  }
  site = { unsigned: "refuse", keys: [await readFile(path.join(keys, "key.pub"), "utf8")], certificates: [] };
  const key = await readFile(path.join(keys, "key.pem"), "utf8");
  for (const name of ["signed", "changed"]) {
    await service.signPack({ folder: added(name), key, passphrase: null, certificates: [] }, signal);
  }
  const description = path.join(added("changed"), "pack.json");
  await writeFile(description, `${await readFile(description, "utf8")} `);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(pack: string, trust: PackTrust | null): Promise<string> {
  const packFolders = [shipped(), path.join(folder, "added")];
  await service.configure({ packFolders, provider: "cpu", threads: 1, stateFolder: null, trust }, signal);
  for await (const event of service.load({ pack }, signal)) if (event.type === "done") return event.pack.name;
  throw new Error("no done event");
}

it("a pack that a key of the policy signed is loaded", async () => {
  expect(await load("signed", site)).toBe("signed");
  expect(await service.packSignature({ folder: added("signed"), trust: null }, signal)).toMatchObject({
    status: "holds",
  });
});

it("an unsigned pack is loaded where the policy allows it, and refused where it does not", async () => {
  await expect(load("unsigned", site)).rejects.toMatchObject({ code: "pack-untrusted" });
  expect(await load("unsigned", { ...site, unsigned: "allow" })).toBe("unsigned");
});

it("a pack that was changed after it was signed is refused where a policy says whose signatures count", async () => {
  await expect(load("changed", { ...site, unsigned: "allow" })).rejects.toMatchObject({
    code: "pack-untrusted",
  });
});

it("what came with the app is not asked for a signature", async () => {
  expect(await load("own", site)).toBe("own");
});

it("without a policy every pack is loaded, and a signature is said to be there", async () => {
  expect(await load("unsigned", null)).toBe("unsigned");
  expect(await service.packSignature({ folder: added("signed"), trust: null }, signal)).toEqual({
    status: "unchecked",
  });
  expect(await service.packSignature({ folder: added("unsigned"), trust: null }, signal)).toEqual({
    status: "none",
  });
});
