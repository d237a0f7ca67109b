import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { peakMemory, peaksBelow } from "../../bench/app/memory.ts";

describe.skipIf(process.platform !== "linux")("the memory that the bench reports", () => {
  it("is the most that a process and those below it ever held, not what they hold now", async () => {
    const script = "Buffer.alloc(200 * 2 ** 20, 1); console.log('done'); setInterval(() => undefined, 1000)";
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
    await once(child.stdout, "data");
    const peaks = await peaksBelow(process.pid, (command) =>
      command.includes("Buffer.alloc") ? "child" : "own",
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(peaks.find(({ name }) => name === "child")!.mebibytes).toBeGreaterThan(200);
    expect(peaks.find(({ name }) => name === "own")!.mebibytes).toBeGreaterThan(10);
    expect(await peakMemory(child.pid!)).toBeNull();
  });
});
