import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { packFileName, sha256 } from "./pack-files.ts";
import { signatureName } from "./signature/trust.ts";
import { packSchema, type LanguagePack, type NewVisionPack, type PackFile } from "./pack-schema.ts";

type WithoutFiles<Kind> = Omit<Kind, "files" | "schema">;
export type NewPack = WithoutFiles<LanguagePack> | WithoutFiles<NewVisionPack>;

/** Writes pack.json over all files of a folder, with sizes and digests, and returns its own digest. */
export async function writePack(folder: string, pack: NewPack): Promise<string> {
  // A signature speaks for the files that were here before.
  await rm(join(folder, signatureName), { force: true });
  const files = await listFiles(folder);
  const parsed = v.safeParse(packSchema, { schema: 1, ...pack, files });
  if (!parsed.success) {
    throw appError(
      "bad-input",
      `The pack cannot be described: ${v.getDotPath(parsed.issues[0]) ?? parsed.issues[0].message}.`,
    );
  }
  const bytes = new TextEncoder().encode(`${JSON.stringify(parsed.output, null, 2)}\n`);
  const handle = await open(join(folder, packFileName), "w");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return sha256(bytes);
}

async function listFiles(folder: string, below = ""): Promise<PackFile[]> {
  const files: PackFile[] = [];
  const names = (await readdir(join(folder, below))).toSorted();
  for (const name of names) {
    const path = below === "" ? name : `${below}/${name}`;
    const stat = await lstat(join(folder, path));
    if (path === packFileName) continue;
    if (stat.isDirectory()) files.push(...(await listFiles(folder, path)));
    else if (stat.isFile())
      files.push({ path, bytes: stat.size, sha256: await digestFile(join(folder, path)) });
    else throw appError("bad-input", "A pack can hold plain files only, no links.");
  }
  return files;
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(path)) hash.update(block as Buffer);
  return hash.digest("hex");
}
