import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

/** Bytes. Null: cannot be told. */
export interface MachineMemory {
  readonly free: number | null;
  readonly total: number | null;
}

/**
 * Main memory that a process may still take without pushing others out, and how much it may have at all.
 * `root` holds proc/ and sys/ of a Linux machine.
 */
export async function machineMemory(
  platform: NodeJS.Platform = process.platform,
  root = "/",
): Promise<MachineMemory> {
  if (platform === "linux") return linuxMemory(root);
  if (platform === "darwin") return { free: await darwinFree(), total: totalmem() };
  // What Windows calls available counts its standby list, which is given up on demand.
  return { free: freemem(), total: totalmem() };
}

/** What the kernel calls available, under the limits of the control groups that the process is in. */
async function linuxMemory(root: string): Promise<MachineMemory> {
  const text = await readText(path.join(root, "proc/meminfo"));
  const kilobytes = (name: string) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "");
    return found ? Number(found[1]) * 1024 : null;
  };
  const limits = [
    { free: kilobytes("MemAvailable") ?? kilobytes("MemFree"), total: kilobytes("MemTotal") },
    ...(await groupLimits(root)),
  ];
  return { free: least(limits.map(({ free }) => free)), total: least(limits.map(({ total }) => total)) };
}

/** Of every group from the process's own up to the root: each may limit all that are below it. */
async function groupLimits(root: string): Promise<MachineMemory[]> {
  const text = (await readText(path.join(root, "proc/self/cgroup"))) ?? "";
  const found: MachineMemory[] = [];
  for (const line of text.split("\n")) {
    const [, controllers, group] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (group === undefined) continue;
    const second = controllers === "";
    if (!second && !controllers!.split(",").includes("memory")) continue;
    const mount = path.join(root, second ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const names = second ? version2 : version1;
    for (let at = path.posix.normalize(group); ; at = path.posix.dirname(at)) {
      const limit = await groupLimit(path.join(mount, at), names);
      if (limit !== null) found.push(limit);
      if (at === "/" || at === ".") break;
    }
  }
  return found;
}

const version1 = {
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  cached: "total_inactive_file",
};
const version2 = { limit: "memory.max", used: "memory.current", cached: "inactive_file" };

async function groupLimit(folder: string, names: typeof version2): Promise<MachineMemory | null> {
  const limit = Number((await readText(path.join(folder, names.limit)))?.trim() || Number.NaN);
  // "max" is no number; version 1 writes a number beyond any machine.
  if (!Number.isFinite(limit) || limit > Number.MAX_SAFE_INTEGER) return null;
  const used = Number((await readText(path.join(folder, names.used)))?.trim() || Number.NaN);
  const stat = (await readText(path.join(folder, "memory.stat"))) ?? "";
  // Pages of files that nobody has used for a while count as used, and are given up first.
  const cached = Number(new RegExp(`^${names.cached} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  const free = Number.isFinite(used) ? Math.max(0, limit - Math.max(0, used - cached)) : null;
  return { free, total: limit };
}

/** Pages that macOS gives up on demand are not counted as free by Node. */
async function darwinFree(): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)("/usr/bin/vm_stat");
    return darwinPages(stdout) ?? freemem();
  } catch {
    return freemem();
  }
}

/** Bytes that can be had, from what vm_stat prints; null where it prints something else. */
export function darwinPages(printed: string): number | null {
  const size = /page size of (\d+) bytes/.exec(printed)?.[1];
  const pages = ["free", "inactive", "speculative", "purgeable"].map(
    (name) => new RegExp(`^Pages ${name}:\\s+(\\d+)`, "m").exec(printed)?.[1],
  );
  if (size === undefined || pages[0] === undefined) return null;
  return pages.reduce((sum, count) => sum + Number(count ?? 0), 0) * Number(size);
}

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

async function readText(file: string): Promise<string | null> {
  return readFile(file, "utf8").catch(() => null);
}
