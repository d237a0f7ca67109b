import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { darwinPages, machineMemory } from "../../../../models/fit/available-memory.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "meditron-memory-"));
});
afterEach(() => rm(root, { recursive: true }));

async function files(contents: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
}

const meminfo =
  "MemTotal:       16000 kB\nMemFree:          500 kB\nMemAvailable:   9000 kB\nBuffers: 1 kB\n";
const kB = 1024;

describe("memory of a Linux machine", () => {
  test("is what the kernel calls available, not what nobody uses", async () => {
    await files({ "proc/meminfo": meminfo });
    expect(await machineMemory("linux", root)).toEqual({ free: 9000 * kB, total: 16000 * kB });
  });

  test("is no more than the control group has left, without pages of files nobody uses", async () => {
    await files({
      "proc/meminfo": meminfo,
      "proc/self/cgroup": "0::/app\n",
      "sys/fs/cgroup/app/memory.max": "4000000\n",
      "sys/fs/cgroup/app/memory.current": "3000000\n",
      "sys/fs/cgroup/app/memory.stat": "anon 2000000\ninactive_file 600000\nactive_file 1\n",
    });
    expect(await machineMemory("linux", root)).toEqual({ free: 1_600_000, total: 4_000_000 });
  });

  test("a limit of a group above counts, and no limit is none", async () => {
    await files({
      "proc/meminfo": meminfo,
      "proc/self/cgroup": "0::/site/app\n",
      "sys/fs/cgroup/site/app/memory.max": "max\n",
      "sys/fs/cgroup/site/app/memory.current": "10\n",
      "sys/fs/cgroup/site/memory.max": "5000000\n",
      "sys/fs/cgroup/site/memory.current": "1000000\n",
    });
    expect(await machineMemory("linux", root)).toEqual({ free: 4_000_000, total: 5_000_000 });
  });

  test("the first version of control groups is read too", async () => {
    await files({
      "proc/meminfo": meminfo,
      "proc/self/cgroup": "5:cpu,memory:/job\n4:pids:/other\n",
      "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "3000000\n",
      "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "1000000\n",
      "sys/fs/cgroup/memory/job/memory.stat": "total_inactive_file 400000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
    });
    expect(await machineMemory("linux", root)).toEqual({ free: 2_400_000, total: 3_000_000 });
  });

  test("where nothing can be read nothing is claimed", async () => {
    expect(await machineMemory("linux", root)).toEqual({ free: null, total: null });
  });
});

test("on this machine something is free, and no more than there is", async () => {
  const { free, total } = await machineMemory();
  expect(free).toBeGreaterThan(0);
  expect(free).toBeLessThanOrEqual(total!);
});

test("what macOS gives up on demand counts as free", () => {
  const printed = [
    "Mach Virtual Memory Statistics: (page size of 16384 bytes)",
    "Pages free:                               10.",
    "Pages active:                           9999.",
    "Pages inactive:                           20.",
    "Pages speculative:                         3.",
    "Pages purgeable:                           4.",
  ].join("\n");
  expect(darwinPages(printed)).toBe(37 * 16384);
  expect(darwinPages("vm_stat: error")).toBeNull();
});
