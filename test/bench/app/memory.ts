import { readdir, readFile } from "node:fs/promises";

/** The most memory that a process ever held, in MiB (VmHWM of Linux); null where it has gone. */
export async function peakMemory(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kibi = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibi === undefined ? null : Math.round(Number(kibi) / 1024);
}

export interface ProcessPeak {
  readonly name: string;
  readonly mebibytes: number;
}

/** A process and all below it. */
export async function peaksBelow(pid: number, nameOf: (command: string) => string): Promise<ProcessPeak[]> {
  const all = await readProcesses();
  const below = (one: number): number[] => [
    one,
    ...all.filter(({ parent }) => parent === one).flatMap((child) => below(child.pid)),
  ];
  const peaks: ProcessPeak[] = [];
  for (const one of below(pid)) {
    const mebibytes = await peakMemory(one);
    const command = all.find((process) => process.pid === one)?.command ?? "";
    if (mebibytes !== null) peaks.push({ name: nameOf(command), mebibytes });
  }
  return peaks;
}

async function readProcesses(): Promise<{ pid: number; parent: number; command: string }[]> {
  const entries = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    entries.map(async (name) => {
      const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
      const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
      // The name in brackets may hold anything; what follows it does not.
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      return { pid: Number(name), parent, command: command.replaceAll("\0", " ") };
    }),
  );
  return found.filter(({ parent }) => !Number.isNaN(parent));
}
