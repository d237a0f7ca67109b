import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export const parts = { host: "host/cli.js", archive: "archive/process.js", inference: "models/process.js" };
export type Part = keyof typeof parts;

/** An address that is kept for documentation (RFC 5737): nobody has it. */
export const plantedAddress = "192.0.2.1";

/** A connection and a name look-up, as a library that reports home would make them. */
const planted = `
import("node:net").then(({ connect }) => connect(9, "${plantedAddress}").on("error", () => undefined).unref());
import("node:dns").then(({ lookup }) => lookup("planted.invalid", () => undefined));
`;

export interface ProgramCopy {
  readonly root: string;
  remove(): Promise<void>;
}

/** A copy of the built program in which these parts go to the network. */
export function plantedCopy(root: string, where: readonly Part[]): Promise<ProgramCopy> {
  return changedCopy(root, where, (text) => {
    const [first, ...rest] = text.split("\n");
    const line = first!.startsWith("#!") ? [first!, planted] : [planted, first!];
    return [...line, ...rest].join("\n");
  });
}

/** A copy whose inference process finds no koffi, as where security software keeps it from loading. */
export function copyWithoutNativeCalls(root: string): Promise<ProgramCopy> {
  return changedCopy(root, ["inference"], (text) => {
    const changed = text.replaceAll('("koffi")', '("koffi-is-not-here")');
    if (changed === text) throw new Error("The built inference process loads koffi in another way.");
    return changed;
  });
}

async function changedCopy(
  root: string,
  where: readonly Part[],
  change: (text: string) => string,
): Promise<ProgramCopy> {
  const copy = await mkdtemp(path.join(os.tmpdir(), "meditron-planted-"));
  await cp(path.join(root, "package.json"), path.join(copy, "package.json"));
  await cp(path.join(root, "dist"), path.join(copy, "dist"), {
    recursive: true,
    filter: (name) => !name.endsWith(".map"),
  });
  for (const name of ["node_modules", "models"]) await symlink(path.join(root, name), path.join(copy, name));
  for (const part of where) {
    const file = path.join(copy, "dist", parts[part]);
    await writeFile(file, change(await readFile(file, "utf8")));
  }
  return { root: copy, remove: () => rm(copy, { recursive: true, force: true }) };
}
