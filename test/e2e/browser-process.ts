import { execFileSync } from "node:child_process";
import { expect } from "@playwright/test";

/** Every process of the browser that has this profile: its own, and those of its pages. */
function pidsOf(profile: string): number[] {
  const listed = execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" });
  return listed.split("\n").flatMap((line) => {
    const [, pid, args] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    return args?.includes(`--user-data-dir=${profile}`) ? [Number(pid)] : [];
  });
}

/** Kills the browser of this profile as a power cut would, and waits until it is gone. */
export async function killBrowser(profile: string): Promise<void> {
  const pids = pidsOf(profile);
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Ended with the one before it.
    }
  }
  await expect.poll(() => pidsOf(profile)).toEqual([]);
}
