import { copyFile, mkdir, readdir, truncate } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { importModel } from "../../../../models/import/import-model.ts";
import { checkedPack, fixtures, never, runImport, temporaryFolder } from "./imported-language.ts";

const source = path.join(fixtures, "tiny-llama.gguf");

describe("importing a model", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  it("tells its progress and ends with a pack that passes its own checks", async () => {
    const fractions: number[] = [];
    for await (const event of importModel({ source, targetFolder: folder.path, name: "tiny" }, never)) {
      if (event.type === "progress") fractions.push(event.fraction);
      else expect(event.pack).toMatchObject({ name: "tiny", licence: "apache-2.0", contextLength: 128 });
    }
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect((await checkedPack(path.join(folder.path, "tiny"))).opened.pack.kind).toBe("language-model");
    expect(await readdir(folder.path)).toEqual(["tiny"]);
  });

  it("makes the same bytes each time", async () => {
    const [a, b] = [path.join(folder.path, "a"), path.join(folder.path, "b")];
    const first = await checkedPack(await runImport({ source, targetFolder: a, name: "tiny" }));
    const second = await checkedPack(await runImport({ source, targetFolder: b, name: "tiny" }));
    expect(second.opened.digest).toBe(first.opened.digest);
  });

  it("leaves nothing behind when it is cancelled", async () => {
    const controller = new AbortController();
    const work = async () => {
      for await (const _ of importModel(
        { source, targetFolder: folder.path, name: "tiny" },
        controller.signal,
      )) {
        controller.abort();
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "cancelled" });
    expect(await readdir(folder.path)).toEqual([]);
  });

  it("leaves nothing behind when its reader goes away", async () => {
    for await (const _ of importModel({ source, targetFolder: folder.path, name: "tiny" }, never)) break;
    expect(await readdir(folder.path)).toEqual([]);
  });

  it("leaves nothing behind when the file ends early", async () => {
    const cut = path.join(folder.path, "cut.gguf");
    await copyFile(source, cut);
    await truncate(cut, 90_000);
    await expect(runImport({ source: cut, targetFolder: folder.path, name: "tiny" })).rejects.toMatchObject({
      code: "model-file-damaged",
    });
    expect(await readdir(folder.path)).toEqual(["cut.gguf"]);
  });

  it("does not touch a pack that exists", async () => {
    await mkdir(path.join(folder.path, "tiny"));
    await expect(runImport({ source, targetFolder: folder.path, name: "tiny" })).rejects.toMatchObject({
      code: "bad-input",
    });
  });

  it.each(["../up", "a/b", ".hidden", "", "dot."])("refuses the name %j", async (name) => {
    await expect(runImport({ source, targetFolder: folder.path, name })).rejects.toMatchObject({
      code: "bad-input",
    });
  });

  it("names a source that is not there", async () => {
    const missing = { source: path.join(folder.path, "no.gguf"), targetFolder: folder.path, name: "tiny" };
    await expect(runImport(missing)).rejects.toMatchObject({ code: "file-not-found" });
  });
});
