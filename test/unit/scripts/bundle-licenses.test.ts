import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { licenseTexts, packageFolders } from "../../../scripts/bundle-licenses.mjs";
import { staysOutside } from "../../../scripts/unbundled.mjs";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-unit-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the licences of what is bundled", () => {
  it("are those of the innermost packages of the modules, each once", () => {
    const modules = [
      "/r/core/errors.ts",
      "/r/node_modules/yauzl/index.js",
      "/r/node_modules/yauzl/fd-slicer.js",
      "/r/node_modules/@bufbuild/protobuf/dist/esm/index.js",
      "/r/node_modules/a/node_modules/@s/b/index.js",
    ];
    expect(packageFolders(modules.map((name) => name.split("/").join(path.sep)))).toEqual(
      [
        "/r/node_modules/@bufbuild/protobuf",
        "/r/node_modules/a/node_modules/@s/b",
        "/r/node_modules/yauzl",
      ].map((name) => name.split("/").join(path.sep)),
    );
  });

  it("hold the text, and a package without one is refused", async () => {
    const make = async (name: string, files: Record<string, string>) => {
      await mkdir(path.join(folder, name));
      for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, name, file), text);
      return path.join(folder, name);
    };
    const good = await make("good", {
      "package.json": '{"name":"good","version":"1.0.0","license":"MIT"}',
      LICENSE: "Do as you like.",
    });
    expect(licenseTexts([good])).toBe("## good 1.0.0 (MIT)\n\nDo as you like.");
    const bare = await make("bare", { "package.json": '{"name":"bare","version":"1.0.0"}' });
    expect(() => licenseTexts([bare])).toThrow("bare has no licence");
  });
});

describe("a bundle", () => {
  it.each(["node:fs", "electron", "libsql", "onnxruntime-node/package.json", "dcmjs-codecs/build/x.wasm"])(
    "leaves %s outside",
    (id) => expect(staysOutside(id)).toBe(true),
  );

  it.each(["valibot", "dcmjs", "koffi-like", "./koffi", "/a/core/errors.ts", "@huggingface/jinja"])(
    "takes %s in",
    (id) => expect(staysOutside(id)).toBe(false),
  );
});
