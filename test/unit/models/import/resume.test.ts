import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Checkpoint } from "../../../../models/import/checkpoint.ts";
import { openGgufCheckpoint } from "../../../../models/import/gguf-checkpoint.ts";
import { importModel } from "../../../../models/import/import-model.ts";
import { rowCount } from "../../../../models/import/tensor-source.ts";
import { WeightFiles } from "../../../../models/import/weight-files.ts";
import { claimWorkFolder } from "../../../../models/import/work-folder.ts";
import { writeContents } from "../../../../models/import/write-contents.ts";
import { fixtures, never, temporaryFolder } from "./imported-language.ts";

const source = path.join(fixtures, "tiny-llama.gguf");
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function contents(where: string): Promise<Record<string, string>> {
  const names = (await readdir(where)).toSorted();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(path.join(where, name))).toString("base64")] as const),
    ),
  );
}

/** The checkpoint with `told` called with the rows read so far. */
function counting(checkpoint: Checkpoint, told: (rows: number) => unknown) {
  let rows = 0;
  const tensors = {
    ...checkpoint.tensors,
    readRows(name: string, range: { first: number; count: number }) {
      rows += range.count;
      told(rows);
      return checkpoint.tensors.readRows(name, range);
    },
  };
  return { checkpoint: { ...checkpoint, tensors }, rows: () => rows };
}

describe("weight files", () => {
  const options = (name: string) => ({
    folder: path.join(folder.path, name),
    stem: "weights",
    fileLimit: 200,
  });
  const tensor = (value: number) => new Uint8Array(150).fill(value);

  it("take over what a broken-off try wrote completely, and end with the same bytes", async () => {
    await mkdir(options("whole").folder);
    await mkdir(options("broken").folder);
    const whole = await WeightFiles.open(options("whole"));
    for (const value of [1, 2, 3, 4]) await whole.add(tensor(value));
    await whole.close();

    const broken = await WeightFiles.open(options("broken"));
    for (const value of [1, 2]) await broken.add(tensor(value));
    const slot = await broken.begin(150);
    await slot.write(tensor(9).subarray(0, 70));
    await broken.abandon();

    const second = await WeightFiles.open(options("broken"));
    expect(second.takeReady([150])).toEqual([{ location: "weights-0.bin", offset: 0, length: 150 }]);
    expect(second.takeReady([150])).toEqual([{ location: "weights-1.bin", offset: 0, length: 150 }]);
    expect(second.takeReady([150])).toBeNull();
    for (const value of [3, 4]) await second.add(tensor(value));
    await second.close();
    expect(await contents(options("broken").folder)).toEqual(await contents(options("whole").folder));
  });

  it("take over nothing from where a tensor has another length", async () => {
    await mkdir(options("other").folder);
    const first = await WeightFiles.open(options("other"));
    for (const value of [1, 2]) await first.add(tensor(value));
    await first.begin(150);
    await first.abandon();
    const second = await WeightFiles.open(options("other"));
    expect(second.takeReady([150])).not.toBeNull();
    expect(second.takeReady([64])).toBeNull();
    expect(await second.add(new Uint8Array(64))).toEqual({
      location: "weights-1.bin",
      offset: 0,
      length: 64,
    });
    await second.close();
    expect(Object.keys(await contents(options("other").folder))).toEqual([
      "weights-0.bin",
      "weights-1.bin",
      "weights.notes",
    ]);
  });
});

describe("an import that was broken off", () => {
  it("is gone on with, reads the rest alone, and gives the same pack", async () => {
    const write = async (name: string, checkpoint: Checkpoint, signal: AbortSignal) => {
      const where = path.join(folder.path, name);
      await mkdir(where, { recursive: true });
      await writeContents(checkpoint, {
        name: "tiny",
        precision: "integer",
        folder: where,
        signal,
        fileLimit: 4096,
      });
      return contents(where);
    };
    const checkpoint = await openGgufCheckpoint(source);
    const inOne = await write("one", checkpoint, never);

    const controller = new AbortController();
    const first = counting(checkpoint, (rows) => rows > 900 && controller.abort());
    await expect(write("two", first.checkpoint, controller.signal)).rejects.toMatchObject({
      code: "cancelled",
    });
    const second = counting(checkpoint, () => undefined);
    expect(await write("two", second.checkpoint, never)).toEqual(inOne);
    const whole = [...checkpoint.tensors.tensors.values()].reduce((sum, info) => sum + rowCount(info), 0);
    expect(first.rows()).toBeGreaterThan(900);
    expect(second.rows()).toBeLessThan(whole - 500);
    await checkpoint.close();
  });

  it("makes way for another source of the same name", async () => {
    const target = path.join(folder.path, "tiny");
    const left = `${target}.importing`;
    await mkdir(left);
    await writeFile(path.join(left, "importing.json"), JSON.stringify({ digest: "another", pid: 2 ** 30 }));
    await writeFile(path.join(left, "weights-0.bin"), "old");
    for await (const _ of importModel({ source, targetFolder: folder.path, name: "tiny" }, never));
    expect(await readdir(folder.path)).toEqual(["tiny"]);
  });

  it("is left alone while it is at work", async () => {
    const target = path.join(folder.path, "tiny");
    await claimWorkFolder(target, { source, precision: "integer", baseConfig: null });
    const second = async () => {
      for await (const _ of importModel({ source, targetFolder: folder.path, name: "tiny" }, never));
    };
    await expect(second()).rejects.toMatchObject({ code: "bad-input" });
    expect(await readdir(folder.path)).toEqual(["tiny.importing"]);
  });
});
