import { fork } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** The process that kills itself, as a script that Node can run; made once. */
let script: Promise<string> | null = null;

/** Opens the archive in `folder` in a process that ends by SIGKILL before the statement of this number. */
export async function killedWhile(at: { folder: string; statement: number }): Promise<{ finished: boolean }> {
  script ??= bundle();
  const child = fork(await script, [at.folder, String(at.statement)], { stdio: "inherit" });
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("exit", (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal })),
  );
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`The process ended with ${code ?? signal}.`);
  return { finished: code === 0 };
}

/** Beside the sources' own packages, so that it finds libsql. */
async function bundle(): Promise<string> {
  const root = fileURLToPath(new URL("../../../../.cache/", import.meta.url));
  await mkdir(root, { recursive: true });
  const folder = await mkdtemp(path.join(root, "migration-"));
  process.once("exit", () => void rm(folder, { recursive: true, force: true }));
  const input = fileURLToPath(new URL("migrate-and-die.ts", import.meta.url));
  const bundled = await rolldown({
    input,
    platform: "node",
    tsconfig: false,
    external: (id) => !id.startsWith(".") && !path.isAbsolute(id),
  });
  const file = path.join(folder, "migrate-and-die.mjs");
  await bundled.write({ file, format: "esm", codeSplitting: false });
  await bundled.close();
  return file;
}
