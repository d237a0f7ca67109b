import type { Readable } from "node:stream";
import { utilityProcess } from "electron";
import type { Port } from "../core/port.ts";
import { logChildOutput } from "../host/child-output.ts";
import { childEnvironment, partOf, type Spawn } from "../host/children.ts";

/** A child process as Electron wants it: `runAsNode` is off, so `child_process.fork` has nothing to start. */
export const utilitySpawn: Spawn = (script, log) => {
  const child = utilityProcess.fork(script, [], {
    stdio: "pipe",
    serviceName: "meditron",
    env: childEnvironment(),
  });
  for (const output of [child.stdout, child.stderr]) {
    logChildOutput(output as Readable | null, partOf(script), log);
  }
  return utilityPort(child);
};

/** The part of a UtilityProcess that is used; a test stands in for it. */
export interface UtilityChild {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  kill(): boolean;
}

export function utilityPort(child: UtilityChild): Port {
  let ended: string | null = null;
  let tellExit: (reason: string) => void = () => undefined;
  const waiting: unknown[] = [];
  let deliver: ((message: unknown) => void) | null = null;
  child.on("message", (message) => (deliver ? deliver(message) : waiting.push(message)));
  child.on("exit", (code) => {
    ended = `exit code ${code}`;
    tellExit(ended);
  });
  return {
    post(message) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a process, not a window
      if (ended === null) child.postMessage(message);
    },
    onMessage(listener) {
      deliver = listener;
      for (const message of waiting.splice(0)) listener(message);
    },
    onExit(listener) {
      tellExit = listener;
      if (ended !== null) listener(ended);
    },
    close: () => void child.kill(),
  };
}
