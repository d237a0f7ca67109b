import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appError } from "../../../../core/errors.ts";
import type { InferenceSettings } from "../../../../models/api.ts";
import type { Candidate } from "../../../../models/runtime/provider-candidates.ts";
import { type MeasuredPack, ProviderChoice } from "../../../../models/runtime/providers.ts";
import type { Probe } from "../../../../models/runtime/run-probe.ts";
import { openCRuntime, type Runtime } from "../../../../models/runtime/runtime.ts";
import { never } from "../tiny-model.ts";

const candidates: Candidate[] = ["quick", "slow", "nonsense", "absent", "broken"].map((name) => ({
  name,
  session: { name, options: {}, memory: null },
  missing: "There is none here.",
  use: "all",
  proof: "proven",
}));

/** Machines with several graphics drivers are rare: these stand for what drivers have been seen to do. */
const drivers: Probe = async ({ provider }) => {
  const right = Float32Array.of(1, -4, 2);
  switch (provider?.name) {
    case "quick":
      return { values: Float32Array.of(1.01, -4.02, 2), milliseconds: 2 };
    case "slow":
      return { values: right, milliseconds: 50 };
    case "nonsense":
      return { values: Float32Array.of(NaN, 0, 0), milliseconds: 1 };
    case "absent":
      throw appError("model-failed", "x", new Error("Failed to get a WebGPU adapter: No supported adapters"));
    case "broken":
      throw appError("model-failed", "The model stopped with an error.");
    default:
      return { values: right, milliseconds: 10 };
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
const choice = (provider: string, changed: object = {}) =>
  new ProviderChoice(settings(provider), openCRuntime, { ...machine, ...changed });

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
    expect(await readdir(stateFolder)).toEqual(["providers.json"]);
  });
});

describe("what an earlier start found", () => {
  const counting = () => {
    let tried = 0;
    const probe: Probe = (request) => {
      tried += request.provider === null ? 0 : 1;
      return drivers(request);
    };
    return { probe, tried: () => tried };
  };

  test("is used again, and says so, until the driver is another one", async () => {
    const first = await choice("auto", { drivers: async () => "one" }).statuses(never);
    const { probe, tried } = counting();
    const again = await choice("auto", { probe, drivers: async () => "one" }).statuses(never);
    expect(tried()).toBe(0);
    expect(again).toEqual(first.map((one) => ({ ...one, remembered: true })));
    await choice("auto", { probe, drivers: async () => "two" }).statuses(never);
    expect(tried()).toBeGreaterThan(0);
  });

  test("is not used with another version of the runtime", async () => {
    await choice("auto", { drivers: async () => "one" }).statuses(never);
    const { probe, tried } = counting();
    const newer = async (): Promise<Runtime> => ({ ...(await openCRuntime()), version: "1.31.0" });
    const changed = { ...machine, probe, drivers: async () => "one" };
    await new ProviderChoice(settings("auto"), newer, changed).statuses(never);
    expect(tried()).toBeGreaterThan(0);
  });

  test("is tried again for a provider that failed and is named now", async () => {
    await choice("auto", { drivers: async () => "one" }).statuses(never);
    const { probe, tried } = counting();
    await expect(choice("broken", { probe, drivers: async () => "one" }).choose(never)).rejects.toThrow(
      "stopped",
    );
    expect(tried()).toBeGreaterThan(0);
  });

  test("a file that cannot be read is the same as none", async () => {
    await writeFile(path.join(stateFolder, "providers.json"), '{"schema": 1, "results": 3}');
    const { probe, tried } = counting();
    await choice("auto", { probe }).statuses(never);
    expect(tried()).toBeGreaterThan(0);
  });
});

describe("the speed of the pack itself", () => {
  const pack = (times: Record<string, number>, asked: string[] = []): MeasuredPack => ({
    digest: "p".repeat(64),
    measure: async ({ provider }) => {
      const name = provider?.name ?? "cpu";
      asked.push(name);
      if (times[name] === undefined) throw appError("out-of-memory", "x");
      return times[name];
    },
  });
  const one = { drivers: async () => "one" };

  test("decides in place of the small decoder's, and is remembered for the pack", async () => {
    const asked: string[] = [];
    const chosen = choice("auto", one);
    expect(await chosen.choose(never, pack({ cpu: 9, quick: 20, slow: 5 }, asked))).toMatchObject({
      name: "slow",
    });
    expect(asked.toSorted()).toEqual(["cpu", "quick", "slow"]);
    const statuses = await chosen.statuses(never);
    expect(statuses.find(({ name }) => name === "quick")).toMatchObject({
      token_ms: 20,
      reason: "Works, but slower here: 20 ms a token against 5 ms a token.",
    });
    const later: string[] = [];
    expect(await choice("auto", one).choose(never, pack({ cpu: 1, quick: 1, slow: 1 }, later))).toMatchObject(
      {
        name: "slow",
      },
    );
    expect(later).toEqual([]);
    await choice("auto", { drivers: async () => "two" }).choose(
      never,
      pack({ cpu: 1, quick: 2, slow: 3 }, later),
    );
    expect(later).toHaveLength(3);
  });

  test("leaves out a provider that has no memory for it, at once or later", async () => {
    expect(await choice("auto", one).choose(never, pack({ cpu: 9, slow: 5 }))).toMatchObject({
      name: "slow",
    });
    await choice("auto", one).tooLittleMemory("slow", "p".repeat(64));
    const last = choice("auto", one);
    expect(await last.choose(never, pack({}))).toMatchObject({ name: "cpu" });
    expect((await last.statuses(never)).find(({ name }) => name === "slow")!.reason).toContain(
      "too little memory",
    );
  });

  test("is not measured for a provider that is named, nor where the CPU alone works", async () => {
    const asked: string[] = [];
    await choice("slow", one).choose(never, pack({}, asked));
    await choice("auto", { candidates: [] }).choose(never, pack({}, asked));
    expect(asked).toEqual([]);
  });
});

describe("providers of another kind", () => {
  const kinds = (use: Candidate["use"], proof: Candidate["proof"]) => ({
    candidates: [{ ...candidates[0]!, use, proof }],
  });

  test("one that nobody has seen run is left to those who choose it", async () => {
    const [, quick] = await choice("auto", kinds("all", "unproven")).statuses(never);
    expect(quick).toMatchObject({
      status: "works",
      unproven: true,
      reason: expect.stringContaining("only where it is chosen"),
    });
    expect(await choice("quick", kinds("all", "unproven")).choose(never)).toMatchObject({ name: "quick" });
    // What IT has installed for the purpose is no accident.
    expect(await choice("auto", kinds("all", "installed")).choose(never)).toMatchObject({ name: "quick" });
  });

  test("one for images alone leaves the language model on the CPU", async () => {
    const changed = kinds("images", "unproven");
    const chosen = await choice("quick", changed).choose(never);
    expect(chosen).toMatchObject({ name: "cpu", provider: null, images: { name: "quick" } });
    const statuses = await choice("quick", changed).statuses(never);
    expect(statuses.map(({ status }) => status)).toEqual(["in-use", "in-use"]);
    expect((await choice("auto", changed).choose(never)).images).toBeUndefined();
  });

  test("one whose faster kernels are wrong runs without them and says so", async () => {
    const probe: Probe = async (request) =>
      request.provider?.name === "nonsense" && request.careful
        ? { values: Float32Array.of(1, -4, 2), milliseconds: 3 }
        : drivers(request);
    const changed = { probe, candidates: candidates.filter(({ name }) => name === "nonsense") };
    expect(await choice("auto", changed).choose(never)).toMatchObject({ name: "nonsense", careful: true });
    const [, found] = await choice("auto", changed).statuses(never);
    expect(found!.reason).toContain("faster kernels give wrong numbers");
  });

  test("CUDA says which files are missing, and is not started without them", async () => {
    const cuda = { ...candidates[0]!, name: "cuda" };
    const probe = () => {
      throw new Error("a driver was started");
    };
    const problem = "Missing in the folder for CUDA: libcublas.so.13.";
    const changed = { probe, candidates: [cuda], cuda: async () => problem };
    const [, found] = await choice("auto", changed).statuses(never);
    expect(found).toMatchObject({ name: "cuda", status: "not-available", reason: problem });
  });
});

test("on this machine something right is found, and every other provider has its reason", async () => {
  const found = await new ProviderChoice(settings("auto"), openCRuntime).statuses(never);
  expect(found.filter(({ status }) => status === "in-use")).toHaveLength(1);
  expect(found[0]!.name).toBe("cpu");
  for (const { reason } of found) expect(reason).not.toBe("");
});
