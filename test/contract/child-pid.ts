import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** The process that `parent` (this one) started for `script`, found as a user would: in the list of processes. */
export async function childPid(script: string, parent: number | undefined = process.pid): Promise<number> {
  const all = existsSync("/proc/self/stat") ? await fromProc() : await fromPs();
  const found = all.find((one) => one.parent === parent && one.command.includes(script));
  if (!found) throw new Error(`no process runs ${script}`);
  return found.pid;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

async function fromProc(): Promise<Listed[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    names.map(async (name) => {
      const read = (file: string) => readFile(`/proc/${name}/${file}`, "utf8").catch(() => "");
      const [stat, command] = [await read("stat"), await read("cmdline")];
      return { pid: Number(name), parent: Number(/\) \S (\d+)/.exec(stat)?.[1]), command };
    }),
  );
}

/** Small Linux images have no `ps`, other systems no /proc. */
async function fromPs(): Promise<Listed[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,args="]);
  return stdout.split("\n").map((line) => {
    const [pid, parent, ...command] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), command: command.join(" ") };
  });
}
