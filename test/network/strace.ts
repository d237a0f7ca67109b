import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { readTrace, type TraceReport } from "./read-trace.ts";

/** Why nothing can be traced here; null where it can. */
export function straceProblem(): string | null {
  if (process.platform !== "linux") return "skipped: strace is for Linux";
  const tried = spawnSync("strace", ["-f", "-o", "/dev/null", "true"], { encoding: "utf8" });
  if (tried.error) return "skipped: strace is not installed";
  return tried.status === 0 ? null : "skipped: strace may not trace here";
}

export interface Traced extends TraceReport {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs a program to its end and reports what it and everything it started connected to. */
export async function traced(
  command: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; show?: boolean } = {},
): Promise<Traced> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-trace-"));
  const file = path.join(folder, "trace");
  try {
    // Long strings: the path of a script tells which process it is. The filter stops at these calls alone.
    const trace = ["-f", "--seccomp-bpf", "-s", "400", "-e", "trace=network,process", "-o", file];
    const { env = process.env, cwd } = options;
    const child = spawn("strace", [...trace, ...command], {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const keep = (text: Buffer) => {
      output += text.toString();
      if (options.show) process.stderr.write(text);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const [exitCode] = (await once(child, "close")) as [number | null];
    return { ...readTrace(await readFile(file, "utf8")), exitCode, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
