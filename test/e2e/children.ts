import { execFileSync } from "node:child_process";

/**
 * The process id of a host's archive or models process, to hold it still (so that a test has all the time there is)
 * or to end it. Null where it cannot be found: in Electron the host is the window's own process.
 */
export function childPid(hostPid: number | null, name: "archive" | "models"): number | null {
  if (hostPid === null || process.platform === "win32") return null;
  const listed = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" });
  for (const line of listed.split("\n")) {
    const [, pid, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (Number(parent) === hostPid && args?.includes(`${name}/process.js`)) return Number(pid);
  }
  return null;
}

/** Holds a process still while `work` runs. */
export async function held<Result>(pid: number, work: () => Promise<Result>): Promise<Result> {
  process.kill(pid, "SIGSTOP");
  try {
    return await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}
