import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { filesBelow, type Folder, folders, importedFile, packageOf, readSources, root } from "./sources.ts";

/** Who may import what: docs/architecture.md has the same table in words. */
const table: Readonly<
  Record<Folder, { own: readonly Folder[]; files: readonly string[]; packages: RegExp }>
> = {
  core: { own: [], files: [], packages: /^valibot$/ },
  archive: {
    own: ["core"],
    files: [],
    packages: /^(valibot|node:|dcmjs|dcmjs-codecs|libsql|yauzl|fast-png)$/,
  },
  models: {
    own: ["core"],
    files: [],
    packages:
      /^(valibot|node:|onnxruntime-node|koffi|fast-png|@bufbuild\/protobuf|@huggingface\/(tokenizers|jinja)|@sigstore\/(core|protobuf-specs))$/,
  },
  host: { own: ["core"], files: ["archive/api.ts", "models/api.ts"], packages: /^(valibot|node:)$/ },
  electron: { own: ["core", "host"], files: [], packages: /^(electron|node:)$/ },
  renderer: {
    own: ["core"],
    files: [],
    packages: /^(valibot|react|react-dom|@cornerstonejs\/(core|tools))$/,
  },
};

const sources = readSources();
const byName = new Map(sources.map((source) => [source.name, source]));

describe("the import table", () => {
  it("reads every folder of the product", () => {
    for (const folder of folders) expect(sources.some((source) => source.folder === folder)).toBe(true);
    const imports = sources.reduce((count, source) => count + source.imports.length, 0);
    expect(imports).toBeGreaterThan(100);
  });

  it.each(folders)("%s imports what it may and nothing else", (folder) => {
    const { own, files, packages } = table[folder];
    const broken: string[] = [];
    for (const source of sources.filter((one) => one.folder === folder)) {
      for (const { from } of source.imports) {
        const file = importedFile(source, from);
        const allowed =
          file === null
            ? packages.test(packageOf(from))
            : [folder, ...own].some((name) => file.startsWith(`${name}/`)) || files.includes(file);
        if (!allowed) broken.push(`${source.name} imports ${from}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it("names files with their ending, so that each import is a file", () => {
    const broken = sources.flatMap((source) =>
      source.imports
        .map(({ from }) => ({ from, file: importedFile(source, from) }))
        .filter(({ file }) => file !== null && !existsSync(path.join(root, file)))
        .map(({ from }) => `${source.name} imports ${from}`),
    );
    expect(broken).toEqual([]);
  });

  it("has every package that is imported among the dependencies, the page's among those of the build", () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(path.join(root, "package.json"), "utf8"),
    ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
    // Electron itself carries the app; it is not one of its packages.
    const installed = new Set([...Object.keys(dependencies), "node:", "electron"]);
    // Bundled into dist/renderer: the installed program does not carry them a second time.
    const bundled = new Set([...Object.keys(devDependencies), "valibot"]);
    const missing = sources.flatMap(({ name, folder, imports }) =>
      imports
        .filter(({ from }) => !from.startsWith("."))
        .filter(({ from }) => !(folder === "renderer" ? bundled : installed).has(packageOf(from)))
        .map(({ from }) => `${name} imports ${from}`),
    );
    expect(missing).toEqual([]);
  });

  it("has no circle of modules", () => {
    expect(findCircle()).toEqual([]);
  });
});

describe("the form of the sources", () => {
  it("has no default exports, no barrels and no catch-all files", () => {
    const named = (wrong: (source: (typeof sources)[number]) => boolean) =>
      sources.filter(wrong).map(({ name }) => name);
    expect(named(({ hasDefaultExport }) => hasDefaultExport)).toEqual([]);
    expect(named(({ onlyReexports }) => onlyReexports)).toEqual([]);
    expect(named(({ name }) => /(^|\/)(utils?|helpers?|misc|common|index)\.tsx?$/.test(name))).toEqual([]);
  });

  it("has no file of more than 400 lines", () => {
    const long = sources
      .filter(({ text }) => !text.slice(0, 400).includes("@generated"))
      .map(({ name, text }) => ({ name, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });

  it("names modules in kebab-case and components in PascalCase", () => {
    const wrong = sources
      .map(({ name }) => name)
      .filter((name) => {
        const file = path.posix.basename(name);
        return !/^([a-z0-9]+(-[a-z0-9]+)*\.(ts|mjs)|[A-Z][A-Za-z0-9]*\.tsx|main\.tsx)$/.test(file);
      });
    expect(wrong).toEqual([]);
  });

  it("type-checks each folder for its own runtime only", () => {
    const config = (name: string) =>
      JSON.parse(readFileSync(path.join(root, name), "utf8")) as {
        compilerOptions?: { lib?: string[]; types?: string[] };
        references: { path: string }[];
      };
    const referenced = config("tsconfig.json").references.map((reference) => reference.path);
    for (const folder of folders) {
      expect(referenced).toContain(`./${folder}`);
      const { types = [], lib = [] } = config(`${folder}/tsconfig.json`).compilerOptions ?? {};
      const inBrowser = folder === "renderer";
      const nowhere = folder === "core";
      expect(types.includes("node")).toBe(!inBrowser && !nowhere);
      expect(lib.includes("DOM")).toBe(inBrowser || folder === "electron");
    }
  });

  it("holds no file that git would carry for ever: none over 45 MB", () => {
    const packs = existsSync(path.join(root, "models/packs")) ? filesOfPacks() : [];
    expect(packs.filter(({ bytes }) => bytes > 45 * 1024 * 1024)).toEqual([]);
  });
});

function filesOfPacks(): { name: string; bytes: number }[] {
  return filesBelow("models/packs").map((name) => ({
    name,
    bytes: readFileSync(path.join(root, name)).length,
  }));
}

/** The first circle of imports that are needed at run time, as names; empty where there is none. */
function findCircle(): string[] {
  const done = new Set<string>();
  const way: string[] = [];
  function walk(name: string): string[] {
    const start = way.indexOf(name);
    if (start !== -1) return [...way.slice(start), name];
    const source = byName.get(name);
    if (!source || done.has(name)) return [];
    way.push(name);
    for (const { from, typeOnly } of source.imports) {
      const file = typeOnly ? null : importedFile(source, from);
      const circle = file === null ? [] : walk(file);
      if (circle.length > 0) return circle;
    }
    way.pop();
    done.add(name);
    return [];
  }
  for (const { name } of sources) {
    const circle = walk(name);
    if (circle.length > 0) return circle;
  }
  return [];
}
