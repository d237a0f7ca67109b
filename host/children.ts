import { fork } from "node:child_process";
import { appError, throwIfAborted } from "../core/errors.ts";
import { onnxRuntimeEnvironment } from "../core/onnx-runtime-environment.ts";
import type { Port } from "../core/port.ts";
import { type ApiKinds, connectApi } from "../core/rpc.ts";
import { logChildOutput } from "./child-output.ts";
import type { Log } from "./log.ts";

/** Starts a child process and gives the port to it. `electron/spawn.ts` has the one for utility processes. */
export type Spawn = (script: string, log: Log) => Port;

/** A child process that is started with the first call and again with the first call after its end. */
export interface Child<Api> {
  /** The running child, told what it needs to work (its archive, its settings). */
  ready(signal: AbortSignal): Promise<Api>;
  /** The running child before that: enough for work on files. */
  bare(): Api;
  /** Ends the process, after `finish` where it was prepared; the next call starts it again. */
  stop(): Promise<void>;
  /**
   * The same for good: a call after it ends with process-lost. Else work that is stopped with the app (an answer that
   * saves what it has) would start a process which keeps the app from ending, without owning the data folder.
   */
  end(): Promise<void>;
}

interface Life<Api> {
  readonly api: Api;
  readonly port: Port;
  prepared: Promise<void> | null;
}

export interface ChildOptions<Api> {
  readonly script: string;
  readonly spawn: Spawn;
  readonly kinds: ApiKinds<Api>;
  readonly log: Log;
  /** Runs once in each life before the first `ready` call goes through. */
  prepare(api: Api, signal: AbortSignal): Promise<void>;
  /** Runs before the process is ended on purpose, for `finishMs` at most. */
  finish?(api: Api, signal: AbortSignal): Promise<void>;
}

const finishMs = 3_000;

export function createChild<Api extends object>(options: ChildOptions<Api>): Child<Api> {
  let life: Life<Api> | null = null;
  let over = false;

  function start(): Life<Api> {
    const port = options.spawn(options.script, options.log);
    const started: Life<Api> = {
      api: connectApi<Api>(exitTo(port, ended), options.kinds),
      port,
      prepared: null,
    };
    function ended(reason: string): void {
      // Ended on purpose by `stop`: nothing to tell.
      if (life !== started) return;
      life = null;
      options.log.write({ where: partOf(options.script), what: `ended: ${reason}` });
    }
    return started;
  }

  function running(): Life<Api> {
    if (over) throw appError("process-lost", "The app is being closed.");
    return (life ??= start());
  }

  async function stop(): Promise<void> {
    const ending = life;
    life = null;
    if (!ending) return;
    if (ending.prepared && options.finish) {
      const enough = AbortSignal.timeout(finishMs);
      const late = new Promise((resolve) => enough.addEventListener("abort", resolve, { once: true }));
      await Promise.race([
        ending.prepared.then(() => options.finish?.(ending.api, enough)).catch(() => undefined),
        late,
      ]);
    }
    ending.port.close();
  }

  return {
    bare: () => running().api,
    async ready(signal) {
      throwIfAborted(signal);
      const current = running();
      // Not bound to this caller's signal: others wait for the same preparation.
      current.prepared ??= options.prepare(current.api, new AbortController().signal);
      try {
        await current.prepared;
      } catch (thrown) {
        current.prepared = null;
        throw thrown;
      }
      throwIfAborted(signal);
      return current.api;
    },
    stop,
    end() {
      over = true;
      return stop();
    },
  };
}

/** The port with a second listener for its end: connectApi takes the first. */
function exitTo(port: Port, ended: (reason: string) => void): Port {
  return { ...port, onExit: (listener) => port.onExit((reason) => (ended(reason), listener(reason))) };
}

/** "archive" or "models", from the place of its bundle. */
export function partOf(script: string): string {
  return script.split(/[/\\]/).at(-2) ?? "child";
}

const passedOn = [
  "PATH",
  "HOME",
  "TMPDIR",
  "TEMP",
  "TMP",
  "LANG",
  "LC_ALL",
  "TZ",
  "USERPROFILE",
  "SystemRoot",
];

/**
 * A short environment: nothing that a parent's shell exported for other programs reaches the code that parses
 * untrusted files. MEDITRON_* carries settings for tests, never a key.
 */
export function childEnvironment(): Record<string, string> {
  const all = Object.entries(process.env) as [string, string][];
  const kept = all.filter(([name]) => passedOn.includes(name) || name.startsWith("MEDITRON_"));
  // What a worker thread sets itself native code does not see.
  return { ...Object.fromEntries(kept), ...onnxRuntimeEnvironment(process.arch) };
}

/** `child_process.fork` as a Port. Messages are structured-cloned, so typed arrays keep their type. */
export const forkSpawn: Spawn = (script, log) => {
  const child = fork(script, [], {
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: childEnvironment(),
    execArgv: ["--enable-source-maps"],
  });
  for (const output of [child.stdout, child.stderr]) logChildOutput(output, partOf(script), log);
  let ended: string | null = null;
  let tellExit: (reason: string) => void = () => undefined;
  const end = (reason: string) => {
    if (ended !== null) return;
    ended = reason;
    tellExit(reason);
  };
  child.once("exit", (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
  child.once("error", () => end("could not start"));
  const waiting: unknown[] = [];
  let deliver: ((message: unknown) => void) | null = null;
  child.on("message", (message) => (deliver ? deliver(message) : waiting.push(message)));
  return {
    post(message) {
      // A send that fails means that the process is gone; its exit rejects what is open.
      if (child.connected) child.send(message as object, () => undefined);
    },
    onMessage(listener) {
      deliver = listener;
      for (const message of waiting.splice(0)) listener(message);
    },
    onExit(listener) {
      tellExit = listener;
      if (ended !== null) listener(ended);
    },
    close: () => void child.kill("SIGKILL"),
  };
};
