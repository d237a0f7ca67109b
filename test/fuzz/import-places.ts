import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { importModel, type ImportInput } from "../../models/import/import-model.ts";
import { never, type CaseSources } from "./model-cases.ts";

/** Where a damaged checkpoint lies and where its pack would come to lie. */
export interface ImportPlaces {
  readonly root: string;
  readonly source: string;
  readonly target: string;
}

export async function importPlaces(
  { work }: CaseSources,
  name: string,
  source: string,
): Promise<ImportPlaces> {
  const root = path.join(work, name);
  const target = path.join(root, "packs");
  await mkdir(target, { recursive: true });
  return { root, source: path.join(root, source), target };
}

export async function importHostile(
  { source, target }: ImportPlaces,
  more: Partial<ImportInput> = {},
): Promise<void> {
  const input = { source, targetFolder: target, name: "hostile", precision: "float32" as const, ...more };
  for await (const event of importModel(input, never)) if (event.type === "done") break;
}

/** A failed import leaves nothing in the folder of packs; a pack that came out is taken away. */
export async function emptied({ target }: ImportPlaces): Promise<string[]> {
  const left = await readdir(target);
  for (const name of left) await rm(path.join(target, name), { recursive: true });
  return left.filter((name) => name !== "hostile");
}

export async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from))
    await writeFile(path.join(to, name), await readFile(path.join(from, name)));
}
