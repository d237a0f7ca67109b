import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "vitest";
import type { ImportEvent } from "../../../../core/archive-events.ts";
import { compareFiles } from "../../../../archive/compare-files.ts";
import type { Candidate } from "../../../../archive/import/candidate.ts";
import { importCandidates } from "../../../../archive/import/import-candidates.ts";
import { walkFiles } from "../../../../archive/import/walk-files.ts";
import { type ArchiveStore, openArchiveStore } from "../../../../archive/store/archive-store.ts";
import { dataKey, filesBelow, readHeader, temporaryFolder } from "../store/test-archive.ts";

export type Done = Extract<ImportEvent, { type: "done" }>;
export type Failed = Extract<ImportEvent, { type: "failed" }>;
export type Conflict = Extract<ImportEvent, { type: "conflict" }>;
export type Warning = Extract<ImportEvent, { type: "warning" }>;

export interface ImportReport extends Done {
  readonly failures: Failed[];
  readonly conflicting: Conflict[];
  readonly warnings: Warning[];
  readonly events: ImportEvent[];
}

/** An open archive and a folder of files to import into it. */
export interface TestImport {
  readonly folder: string;
  /** Where `write` puts files. */
  readonly input: string;
  readonly dataFolder: string;
  readonly store: ArchiveStore;
  write(name: string, content: Buffer): Promise<string>;
  importPaths(...paths: string[]): Promise<ImportReport>;
  run(candidates: AsyncGenerator<Candidate, void, void>): Promise<ImportReport>;
  objectFiles(): Promise<string[]>;
  /** Closes the archive and opens it again, after `between`. */
  reopen(between?: () => Promise<void>): Promise<void>;
  remove(): Promise<void>;
}

const signal = new AbortController().signal;

export async function openTestImport(): Promise<TestImport> {
  const { folder, remove } = await temporaryFolder();
  const dataFolder = path.join(folder, "data");
  const input = path.join(folder, "in");
  const open = () => openArchiveStore({ dataFolder, dataKey, readHeader });
  let store = await open();

  async function run(candidates: AsyncGenerator<Candidate, void, void>): Promise<ImportReport> {
    const events: ImportEvent[] = [];
    const options = { store, candidates, readHeader, compare: compareFiles, signal };
    for await (const event of importCandidates(options)) events.push(event);
    const done = events.at(-1) as Done;
    expect(done.type).toBe("done");
    return {
      ...done,
      failures: events.filter((event) => event.type === "failed"),
      conflicting: events.filter((event) => event.type === "conflict"),
      warnings: events.filter((event) => event.type === "warning"),
      events,
    };
  }

  return {
    folder,
    input,
    dataFolder,
    get store() {
      return store;
    },
    async write(name, content) {
      const file = path.join(input, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, content);
      return file;
    },
    importPaths: (...paths) => run(walkFiles(paths, signal)),
    run,
    objectFiles: () => filesBelow(path.join(dataFolder, "objects")),
    async reopen(between) {
      await store.close();
      await between?.();
      store = await open();
    },
    async remove() {
      await store.close();
      await remove();
    },
  };
}
