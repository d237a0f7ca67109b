import { parentPort } from "node:worker_threads";
import type { Port } from "../../../core/port.ts";
import { serveApi } from "../../../core/rpc.ts";
import type { WorkerApi } from "./worker-api.ts";
import { createWorkerService } from "./worker-service.ts";

/** The thread of the second runtime. `thread.ts` starts it. */

if (parentPort) serveApi<WorkerApi>(portOver(parentPort), createWorkerService(), logFailure);

function portOver(channel: NonNullable<typeof parentPort>): Port {
  return {
    // A channel between threads: there is no origin to name.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    post: (message) => channel.postMessage(message),
    onMessage: (listener) => void channel.on("message", listener),
    onExit: (listener) => void channel.on("close", () => listener("the process ended")),
    close: () => channel.close(),
  };
}

/** Words may name files of the user: the log gets what failed, and where. */
function logFailure(name: string, cause: unknown): void {
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  process.stderr.write(`${[`${name} failed`, ...frames].join("\n")}\n`);
}
