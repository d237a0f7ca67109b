import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { handImage } from "../network/hand-image.ts";
import { copyWithoutNativeCalls, plantedAddress, plantedCopy } from "../network/plant.ts";
import { straceProblem, traced } from "../network/strace.ts";
import { root } from "../unit/architecture/sources.ts";

const problem = straceProblem();

/** A short look; `npm run -s test:network` traces the whole walk. */
describe.skipIf(problem !== null)(`the network (${problem ?? "traced"})`, { timeout: 300_000 }, () => {
  let folder: string;
  let image: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-network-"));
    await mkdir(path.join(folder, "home"));
    image = path.join(folder, "image.dcm");
    await writeFile(image, handImage());
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  function run(program: string, ...args: string[]) {
    const env = {
      ...process.env,
      MEDITRON_DATA: path.join(folder, "data"),
      MEDITRON_CONFIG: path.join(folder, "config"),
      HOME: path.join(folder, "home"),
    };
    return traced([process.execPath, path.join(program, "dist/host/cli.js"), ...args, "--json"], { env });
  }

  it("is left alone by host, archive and inference, name look-ups included", async () => {
    const checked = await run(root, "dicom", "check", image);
    expect(checked).toMatchObject({ findings: [], processes: { host: 1, archive: 1 } });
    // The model runtime is loaded by the first question.
    const asked = await run(root, "ask", image, "--question", "Is there a fracture?", "--no-ground");
    expect(asked).toMatchObject({ exitCode: 0, findings: [], processes: { host: 1, inference: 1 } });
    expect(JSON.parse(asked.output.split("\n").find((line) => line.startsWith("{"))!)).toMatchObject({
      provider: "cpu",
    });
  });

  it("is left alone by the second model runtime, which answers where the first does not load", async () => {
    const copy = await copyWithoutNativeCalls(root);
    try {
      const asked = await run(copy.root, "ask", image, "--question", "Is there a fracture?", "--no-ground");
      expect(asked).toMatchObject({ exitCode: 0, findings: [], processes: { host: 1, inference: 1 } });
      const line = asked.output.split("\n").find((one) => one.startsWith("{"))!;
      expect(JSON.parse(line)).toMatchObject({ provider: "cpu, second runtime" });
    } finally {
      await copy.remove();
    }
  });

  it("is prepared for by nothing in the home folder: no device id, no figures to send later", async () => {
    expect(await readdir(path.join(folder, "home"))).toEqual([]);
  });

  it("would be seen to be used by each of them", async () => {
    const copy = await plantedCopy(root, ["host", "archive", "inference"]);
    try {
      const found = [
        ...(await run(copy.root, "dicom", "check", image)).findings,
        ...(await run(copy.root, "models", "list")).findings,
      ];
      for (const role of ["host", "archive", "inference"]) {
        const addresses = found.filter((one) => one.role === role).map(({ address }) => address);
        expect([role, addresses.some((address) => address.includes(plantedAddress))]).toEqual([role, true]);
        expect([role, addresses.some((address) => address.includes("htons(53)"))]).toEqual([role, true]);
      }
    } finally {
      await copy.remove();
    }
  });
});
