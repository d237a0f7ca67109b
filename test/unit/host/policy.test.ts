import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { policyFiles, readPolicy } from "../../../host/policy.ts";

const readPackTrust = async (files: readonly string[]) => (await readPolicy(files)).trust;

let folder: string;
let policy: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "meditron-policy-"));
  policy = path.join(folder, "policy.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the policy of a machine", () => {
  it("is absent without a file", async () => {
    expect(await readPackTrust([policy])).toBeNull();
    await writeFile(policy, "{}");
    expect(await readPackTrust([policy])).toBeNull();
  });

  it("names the folder with the files for NVIDIA's cards, with or without a word on packs", async () => {
    await writeFile(policy, JSON.stringify({ cuda: { folder: "/opt/cuda" } }));
    expect(await readPolicy([policy])).toEqual({ trust: null, cudaFolder: "/opt/cuda" });
    await writeFile(policy, JSON.stringify({ packs: { unsigned: "allow" }, cuda: { folder: "/opt/cuda" } }));
    expect(await readPolicy([policy])).toMatchObject({
      trust: { unsigned: "allow" },
      cudaFolder: "/opt/cuda",
    });
    await writeFile(policy, JSON.stringify({ cuda: { path: "/opt/cuda" } }));
    await expect(readPolicy([policy])).rejects.toMatchObject({ code: "bad-input" });
  });

  it("refuses unsigned packs unless it allows them", async () => {
    await writeFile(policy, JSON.stringify({ packs: {} }));
    expect(await readPackTrust([policy])).toEqual({ unsigned: "refuse", keys: [], certificates: [] });
    await writeFile(policy, JSON.stringify({ packs: { unsigned: "allow" } }));
    expect(await readPackTrust([policy])).toMatchObject({ unsigned: "allow" });
  });

  it("reads keys and certificates beside itself", async () => {
    await writeFile(path.join(folder, "site.pub"), "a key");
    await writeFile(path.join(folder, "ca.pem"), "a certificate");
    await writeFile(policy, JSON.stringify({ packs: { keys: ["site.pub"], certificates: ["ca.pem"] } }));
    expect(await readPackTrust([policy])).toMatchObject({ keys: ["a key"], certificates: ["a certificate"] });
  });

  it.each([
    ["no JSON", "{"],
    ["an unknown word", JSON.stringify({ packs: { unsigned: "perhaps" } })],
    ["a misspelt entry", JSON.stringify({ pack: {} })],
  ])("is an error and not no policy for %s", async (_, text) => {
    await writeFile(policy, text);
    await expect(readPackTrust([policy])).rejects.toMatchObject({ code: "bad-input" });
  });

  it("is an error where a key of it is missing", async () => {
    await writeFile(policy, JSON.stringify({ packs: { keys: ["absent.pub"] } }));
    await expect(readPackTrust([policy])).rejects.toMatchObject({ code: "file-not-found" });
  });

  it("of the machine comes before one that a user names", async () => {
    const own = path.join(folder, "own.json");
    await writeFile(policy, JSON.stringify({ packs: { unsigned: "refuse" } }));
    await writeFile(own, JSON.stringify({ packs: { unsigned: "allow" } }));
    expect(await readPackTrust([policy, own])).toMatchObject({ unsigned: "refuse" });
    expect(policyFiles({ MEDITRON_POLICY: own }, "linux")).toEqual([
      "/etc/meditron-imaging-assistant/policy.json",
      own,
    ]);
    expect(policyFiles({}, "darwin")).toHaveLength(1);
  });
});
