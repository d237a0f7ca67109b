import type { Port } from "../core/port.ts";
import { serveApi } from "../core/rpc.ts";
import type { InferenceApi } from "./api.ts";
import { createInferenceService } from "./inference-service.ts";
import { runtimeOpeners } from "./runtime/runtime.ts";

/** The inference process: the only one that loads ONNX Runtime. */

const port = parentPort();
// Models that were in a thread are lost with it: the host starts this process again with the next question.
serveApi<InferenceApi>(port, createInferenceService(runtimeOpeners(endNow)), logFailure);
// Nothing here outlives the app, and native work in progress must not keep the process alive.
port.onExit(endNow);

/** `process.exit` would wait for a thread that computes in native code. */
function endNow(): void {
  process.kill(process.pid, "SIGKILL");
}

/** Messages may name files of the user: the log gets what failed and where, no words. */
function logFailure(name: string, cause: unknown): void {
  const frames =
    cause instanceof Error ? (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  process.stderr.write(`${name} failed: ${cause instanceof Error ? cause.name : typeof cause}\n`);
  for (const line of frames) process.stderr.write(`${line}\n`);
}

interface UtilityPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
}

/** This process's end of the port: of a forked child, or of Electron's utility process. */
function parentPort(): Port {
  const utility = (process as { parentPort?: UtilityPort }).parentPort;
  if (utility) {
    return {
      // No window on the other side: there is no origin to name.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      post: (message) => utility.postMessage(message),
      onMessage: (listener) => utility.on("message", ({ data }) => listener(data)),
      // Electron ends a utility process with its parent.
      onExit: () => undefined,
      close: () => process.exit(0),
    };
  }
  return {
    post: (message) => process.send?.(message),
    onMessage: (listener) => process.on("message", listener),
    onExit: (listener) => process.on("disconnect", () => listener("the app ended")),
    close: () => process.disconnect(),
  };
}
