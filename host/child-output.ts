import type { Readable } from "node:stream";
import { isFrame, type Log, shortFrame } from "./log.ts";

/** A child says so much about a failure of its own: the procedure, the kind of error and its system code. */
const failureLine = /^[A-Za-z]{1,40} failed: [A-Za-z]{1,40}(?: [A-Za-z0-9_-]{1,40})?$/;

/**
 * Puts what a child process prints into the log: its failure lines and stack frames. Of everything else (messages
 * of libraries quote files and their contents) only the number of lines is kept.
 */
export function logChildOutput(output: Readable | null, where: string, log: Log): void {
  let rest = "";
  output?.on("data", (data: Buffer) => {
    const lines = (rest + data.toString()).split("\n");
    rest = (lines.pop() ?? "").slice(-4096);
    let left = 0;
    for (const line of lines.filter((one) => one.trim() !== "")) {
      if (failureLine.test(line.trim())) log.write({ where, what: line.trim() });
      else if (isFrame(line)) log.write({ where, what: shortFrame(line) });
      else left += 1;
    }
    if (left > 0) log.write({ where, what: `${left} other lines` });
  });
}
