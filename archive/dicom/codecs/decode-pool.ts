import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { appError, throwIfAborted } from "../../../core/errors.ts";
import { damaged } from "./codestream.ts";
import type { DecodeAnswer, DecodeJob } from "./decode-job.ts";

/** Decoders in threads of their own: the archive's thread answers while they work, and one that hangs is ended. */
export interface DecodePool {
  /**
   * The decoded samples, interleaved by pixel except where the codestream holds planes.
   * @throws pixel-data-damaged, too-large where decoding takes too long, cancelled
   */
  decode(job: DecodeJob, signal?: AbortSignal): Promise<Uint8Array>;
  /** Ends the threads; work that waits is rejected. */
  close(): Promise<void>;
}

export interface DecodePoolLimits {
  readonly workers: number;
  /** For one frame of up to four million samples; larger ones get more in proportion. */
  readonly frameMs: number;
}

interface Task {
  readonly job: DecodeJob;
  readonly resolve: (octets: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | null;
  timer: NodeJS.Timeout | null;
}

const fourMillion = 1 << 22;

export function createDecodePool(limits: DecodePoolLimits): DecodePool {
  const threads = new Set<Thread>();
  const queue: Task[] = [];

  function next(): void {
    while (queue.length > 0) {
      const thread = [...threads].find(({ task }) => task === null) ?? startThread();
      if (!thread) return;
      run(thread, queue.shift()!);
    }
  }

  /** Null where there are enough. */
  function startThread(): Thread | null {
    if (threads.size >= limits.workers) return null;
    const thread: Thread = { worker: startWorker(), task: null, timer: null };
    threads.add(thread);
    thread.worker.on("message", (answer: DecodeAnswer) => finish(thread, answer));
    thread.worker.on("error", (cause) => end(thread, damaged(cause)));
    thread.worker.on("exit", () => end(thread, damaged("the decoder ended")));
    return thread;
  }

  function run(thread: Thread, task: Task): void {
    const { job } = task;
    const samples = job.rows * job.columns * job.samples;
    const limitMs = limits.frameMs * Math.max(1, samples / fourMillion);
    thread.task = task;
    thread.timer = setTimeout(
      () => end(thread, appError("too-large", "Decoding this image took too long and was stopped.")),
      limitMs,
    );
    thread.worker.ref();
    const octets = owned(job.octets);
    thread.worker.postMessage({ ...job, octets }, [octets.buffer]);
  }

  function finish(thread: Thread, answer: DecodeAnswer): void {
    const { task } = thread;
    if (thread.timer) clearTimeout(thread.timer);
    thread.task = null;
    // An idle thread must not keep the process alive.
    thread.worker.unref();
    if (answer.type === "decoded") task?.resolve(answer.octets);
    else task?.reject(damaged(answer.failure));
    next();
  }

  function end(thread: Thread, reason: Error): void {
    if (!threads.delete(thread)) return;
    if (thread.timer) clearTimeout(thread.timer);
    thread.task?.reject(reason);
    void thread.worker.terminate();
    next();
  }

  function cancel(task: Task): void {
    const reason = appError("cancelled", "Cancelled.");
    const at = queue.indexOf(task);
    if (at >= 0) queue.splice(at, 1);
    const thread = [...threads].find((one) => one.task === task);
    if (thread) end(thread, reason);
    else task.reject(reason);
  }

  async function decode(job: DecodeJob, signal?: AbortSignal): Promise<Uint8Array> {
    throwIfAborted(signal);
    let onAbort = (): void => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const task: Task = { job, resolve, reject };
        onAbort = () => cancel(task);
        signal?.addEventListener("abort", onAbort);
        queue.push(task);
        next();
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async function close(): Promise<void> {
    const reason = appError("cancelled", "The archive was closed.");
    for (const task of queue.splice(0)) task.reject(reason);
    const ending = [...threads].map(({ worker }) => worker.terminate());
    for (const thread of threads) end(thread, reason);
    await Promise.all(ending);
  }

  return { decode, close };
}

let shared: DecodePool | null = null;

/** The process's own pool: one thread fewer than there are cores, four at most. */
export function decodePool(): DecodePool {
  shared ??= createDecodePool({
    workers: Math.max(1, Math.min(4, availableParallelism() - 1)),
    frameMs: 20_000,
  });
  return shared;
}

function startWorker(): Worker {
  // The JavaScript heap alone; the codecs' own memory is bounded by WebAssembly.
  return new Worker(workerFile(), { resourceLimits: { maxOldGenerationSizeMb: 256 } });
}

/** Beside the built process; Node 20 runs no TypeScript, so that tests of the source use the built one too. */
function workerFile(): string {
  const beside = fileURLToPath(new URL("./decode-worker.js", import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL("../../../dist/archive/decode-worker.js", import.meta.url));
}

/** Octets with a buffer of their own, which can be handed over. */
function owned(octets: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = octets;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === octets.byteLength;
  return whole ? (octets as Uint8Array<ArrayBuffer>) : octets.slice();
}
