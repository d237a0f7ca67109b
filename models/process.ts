import { failureLines, parentPort } from "../core/parent-port.ts";
import { serveApi } from "../core/rpc.ts";
import type { InferenceApi } from "./api.ts";
import { createInferenceService } from "./inference-service.ts";
import { runtimeOpeners } from "./runtime/runtime.ts";

/** The inference process: the only one that loads ONNX Runtime. */

const port = parentPort(process);
// Models that were in a thread are lost with it: the host starts this process again with the next question.
serveApi<InferenceApi>(port, createInferenceService(runtimeOpeners(endNow)), (name, cause) => {
  process.stderr.write(failureLines(name, cause));
});
// Nothing here outlives the app, and native work in progress must not keep the process alive.
port.onExit(endNow);

/** `process.exit` would wait for a thread that computes in native code. */
function endNow(): void {
  process.kill(process.pid, "SIGKILL");
}
