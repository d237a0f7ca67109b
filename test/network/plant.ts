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

/** A copy of the built program in which these parts go to the network. */
export async function plantedCopy(
  root: string,
  where: readonly Part[],
): Promise<{ root: string; remove(): Promise<void> }> {
  const copy = await mkdtemp(path.join(os.tmpdir(), "meditron-planted-"));
  await cp(path.join(root, "package.json"), path.join(copy, "package.json"));
  await cp(path.join(root, "dist"), path.join(copy, "dist"), {
    recursive: true,
    filter: (name) => !name.endsWith(".map"),
  });
  for (const name of ["node_modules", "models"]) await symlink(path.join(root, name), path.join(copy, name));
  for (const part of where) {
    const file = path.join(copy, "dist", parts[part]);
    const [first, ...rest] = (await readFile(file, "utf8")).split("\n");
    const line = first!.startsWith("#!") ? [first!, planted] : [planted, first!];
    await writeFile(file, [...line, ...rest].join("\n"));
  }
  return { root: copy, remove: () => rm(copy, { recursive: true, force: true }) };
}
