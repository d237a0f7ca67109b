import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appError } from "../../../../core/errors.ts";
import type { InferenceSettings } from "../../../../models/api.ts";
import { type Candidate, type Probe, ProviderChoice } from "../../../../models/runtime/providers.ts";
import { openCRuntime, type Runtime } from "../../../../models/runtime/runtime.ts";
import { never } from "../tiny-model.ts";

const candidates: Candidate[] = ["quick", "slow", "nonsense", "absent", "broken"].map((name) => ({
  name,
  session: { name, options: {}, memory: null },
  missing: "There is none here.",
}));

/** Machines with several graphics drivers are rare: these stand for what drivers have been seen to do. */
const drivers: Probe = async (provider) => {
  const right = Float32Array.of(1, -4, 2);
  switch (provider?.name) {
    case "quick":
      return { logits: Float32Array.of(1.01, -4.02, 2), milliseconds: 2 };
    case "slow":
      return { logits: right, milliseconds: 50 };
    case "nonsense":
      return { logits: Float32Array.of(NaN, 0, 0), milliseconds: 1 };
    case "absent":
      throw appError("model-failed", "x", new Error("Failed to get a WebGPU adapter: No supported adapters"));
    case "broken":
      throw appError("model-failed", "The model stopped with an error.");
    default:
      return { logits: right, milliseconds: 10 };
  }
};

let stateFolder: string;
beforeEach(async () => {
  stateFolder = await mkdtemp(path.join(tmpdir(), "meditron-providers-"));
});
afterEach(() => rm(stateFolder, { recursive: true }));

const settings = (provider: string): InferenceSettings => ({
  packFolders: [],
  provider,
  threads: 2,
  stateFolder,
});
const machine = { candidates, probe: drivers };
const choice = (provider: string) => new ProviderChoice(settings(provider), openCRuntime, machine);

describe("choosing what models run on", () => {
  test("auto takes the fastest that gives the right numbers and says why not the others", async () => {
    const found = await choice("auto").statuses(never);
    expect(Object.fromEntries(found.map(({ name, status }) => [name, status]))).toEqual({
      cpu: "works",
      quick: "in-use",
      slow: "works",
      nonsense: "wrong-result",
      absent: "not-available",
      broken: "failed",
    });
    for (const { reason } of found) expect(reason).not.toBe("");
    expect(found.find(({ name }) => name === "slow")!.reason).toBe(
      "Works, but slower here: 50 ms against 2 ms.",
    );
    expect(await choice("auto").choose(never)).toMatchObject({ name: "quick", provider: { name: "quick" } });
  });

  test("one that is named is taken although another is faster, but not where it is wrong", async () => {
    expect(await choice("slow").choose(never)).toMatchObject({ name: "slow" });
    await expect(choice("nonsense").choose(never)).rejects.toMatchObject({ code: "provider-not-available" });
    await expect(choice("absent").choose(never)).rejects.toThrow("There is none here.");
    await expect(choice("unheard").choose(never)).rejects.toMatchObject({ code: "provider-not-available" });
  });

  test("the CPU, when chosen, starts no graphics driver", async () => {
    const probe = () => {
      throw new Error("a driver was started");
    };
    const untouched = new ProviderChoice(settings("cpu"), openCRuntime, { candidates, probe });
    expect(await untouched.choose(never)).toMatchObject({ name: "cpu", provider: null, threads: 2 });
  });

  test("the second runtime runs on the CPU alone, says why it is used, and starts no graphics driver", async () => {
    const instead = "The model runtime 1.0 is too old for this app.";
    const second = async (): Promise<Runtime> => ({ ...(await openCRuntime()), instead });
    const probe = () => {
      throw new Error("a driver was started");
    };
    const on = (provider: string) => new ProviderChoice(settings(provider), second, { candidates, probe });
    const [cpu, ...others] = await on("auto").statuses(never);
    expect(cpu).toMatchObject({ name: "cpu", status: "in-use", reason: expect.stringContaining(instead) });
    expect(others.map(({ status }) => status)).toEqual(candidates.map(() => "not-available"));
    expect(await on("auto").choose(never)).toMatchObject({ name: "cpu, second runtime", provider: null });
    expect(await on("cpu").choose(never)).toMatchObject({ name: "cpu, second runtime", provider: null });
    await expect(on("quick").choose(never)).rejects.toThrow("runs on the CPU alone");
  });

  test("one that ended the process at the last try is left out until it is named", async () => {
    await writeFile(path.join(stateFolder, "trying-quick"), "");
    const found = await choice("auto").statuses(never);
    expect(found.find(({ name }) => name === "quick")).toMatchObject({ status: "failed", probe_ms: null });
    expect(found.find(({ status }) => status === "in-use")!.name).toBe("cpu");
    expect(await choice("quick").choose(never)).toMatchObject({ name: "quick" });
    expect(await readdir(stateFolder)).toEqual([]);
  });
});

test("on this machine something right is found, and every other provider has its reason", async () => {
  const found = await new ProviderChoice(settings("auto"), openCRuntime).statuses(never);
  expect(found.filter(({ status }) => status === "in-use")).toHaveLength(1);
  expect(found[0]!.name).toBe("cpu");
  for (const { reason } of found) expect(reason).not.toBe("");
});
