import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { appError, throwIfAborted } from "../../../core/errors.ts";
import { onnxRuntimeEnvironment } from "../../../core/onnx-runtime-environment.ts";
import type { Port } from "../../../core/port.ts";
import { connectApi } from "../../../core/rpc.ts";
import type { Cache, CachedTokens, ForwardRequest, LanguageModel, VisionModel } from "../backend.ts";
import type { LanguageModelInput } from "../open-language.ts";
import type { VisionModelSource } from "../vision-model.ts";
import { type WorkerApi, workerKinds } from "./worker-api.ts";

export interface ThreadOptions {
  /** Called once where the thread ends by itself or had to be given up. What it held is gone. */
  readonly lost: () => void;
  readonly open?: () => Worker;
  /** How long a run may go on after its caller has cancelled. */
  readonly patienceMs?: number;
}

/**
 * The second runtime: models in a thread of their own, which the package's binding blocks while it computes. A caller
 * that cancels is let go at once; the thread itself is free again after the run in progress.
 */
export class BindingThread {
  readonly #worker: Worker;
  readonly #api: WorkerApi;
  readonly #lost: () => void;
  readonly #patienceMs: number;
  #version = "";
  #asking = 0;
  #state: "starting" | "running" | "over" = "starting";

  private constructor(worker: Worker, { lost, patienceMs }: Required<Omit<ThreadOptions, "open">>) {
    this.#worker = worker;
    this.#lost = lost;
    this.#patienceMs = patienceMs;
    this.#api = connectApi<WorkerApi>(
      portTo(worker, () => this.#end()),
      workerKinds,
    );
    worker.unref();
  }

  /** @throws whatever keeps the binding from loading */
  static async start({
    lost,
    open = startWorker,
    patienceMs = 60_000,
  }: ThreadOptions): Promise<BindingThread> {
    // Native code sees the process's environment, not what a thread sets in its copy.
    Object.assign(process.env, onnxRuntimeEnvironment(process.arch));
    const thread = new BindingThread(open(), { lost, patienceMs });
    try {
      thread.#version = await thread.call("version", {}, new AbortController().signal);
      thread.#state = "running";
      return thread;
    } catch (thrown) {
      await thread.end();
      throw thrown;
    }
  }

  /** Of ONNX Runtime. */
  get version(): string {
    return this.#version;
  }

  async openLanguage(source: LanguageModelInput, threads: number): Promise<LanguageModel> {
    const opened = await this.call("openLanguage", { source, threads }, new AbortController().signal);
    return new RemoteLanguageModel(this, { ...opened, vocabulary: source.vocabulary });
  }

  async openVision(source: VisionModelSource, threads: number): Promise<VisionModel> {
    const { model } = await this.call("openVision", { source, threads }, new AbortController().signal);
    return new RemoteVisionModel(this, model, source);
  }

  /** Lets the caller go as soon as `signal` fires; the thread hears of it between two runs. */
  async call<Name extends keyof WorkerApi>(
    name: Name,
    input: Parameters<WorkerApi[Name]>[0],
    signal: AbortSignal,
  ): Promise<Result<Name>> {
    throwIfAborted(signal);
    const ask = this.#api[name] as unknown as (input: unknown, signal: AbortSignal) => Promise<Result<Name>>;
    const answered = this.#held(() => ask(input, signal));
    let stop: () => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => {
        reject(appError("cancelled", "Cancelled."));
        this.#awaitFree(answered);
      };
      signal.addEventListener("abort", stop, { once: true });
    });
    try {
      return await Promise.race([answered, stopped]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Ends the thread, after the run in progress: native code is not interrupted. */
  async end(): Promise<void> {
    this.#state = "over";
    await this.#worker.terminate();
  }

  /** A run that never ends would hold up all that follow: the last resort is to give the thread up. */
  #awaitFree(answered: Promise<unknown>): void {
    const late = setTimeout(() => {
      void this.#worker.terminate();
      this.#end();
    }, this.#patienceMs);
    late.unref();
    const free = () => clearTimeout(late);
    answered.then(free, free);
  }

  #end(): void {
    const running = this.#state === "running";
    this.#state = "over";
    if (running) this.#lost();
  }

  /** An idle thread does not keep the process alive; one that is asked does. */
  async #held<Value>(ask: () => Promise<Value>): Promise<Value> {
    this.#asking += 1;
    this.#worker.ref();
    try {
      return await ask();
    } finally {
      this.#asking -= 1;
      if (this.#asking === 0) this.#worker.unref();
    }
  }
}

type Result<Name extends keyof WorkerApi> = Awaited<ReturnType<WorkerApi[Name]>>;

interface OpenedLanguage {
  readonly model: number;
  readonly hidden: number;
  readonly contextLength: number;
  readonly vocabulary: number;
}

class RemoteLanguageModel implements LanguageModel {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly #thread: BindingThread;
  readonly #model: number;
  #caches = 0;

  constructor(thread: BindingThread, { model, hidden, vocabulary, contextLength }: OpenedLanguage) {
    this.#thread = thread;
    this.#model = model;
    this.hidden = hidden;
    this.vocabulary = vocabulary;
    this.contextLength = contextLength;
  }

  createCache(): Cache {
    const cache = this.#caches;
    this.#caches += 1;
    const never = new AbortController().signal;
    return new RemoteCache(cache, () =>
      this.#thread.call("closeCache", { model: this.#model, cache }, never),
    );
  }

  async embed(ids: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    return this.#thread.call("embed", { model: this.#model, ids }, signal);
  }

  async forward(
    { cache, embeddings, rows, images = [] }: ForwardRequest,
    signal: AbortSignal,
  ): Promise<Float32Array> {
    const remote = cache as RemoteCache;
    const held = remote.length;
    const input = { model: this.#model, cache: remote.id, held, embeddings: owned(embeddings), rows, images };
    const logits = await this.#thread.call("forward", input, signal);
    remote.length = held + embeddings.length / this.hidden;
    return logits;
  }

  async dispose(): Promise<void> {
    await this.#thread.call("close", { model: this.#model }, new AbortController().signal);
  }
}

/** A cache in the thread. This side counts its tokens: what a cancelled call still writes there lies behind them. */
class RemoteCache implements Cache {
  readonly id: number;
  length = 0;
  readonly #close: () => Promise<void>;

  constructor(id: number, close: () => Promise<void>) {
    this.id = id;
    this.#close = close;
  }

  truncate(length: number): void {
    this.length = Math.min(this.length, Math.max(0, length));
  }

  /** Keys and values stay in the thread. */
  copy(): null {
    return null;
  }

  append(_copied: CachedTokens): void {
    throw appError("model-failed", "Kept tokens were put in another place.");
  }

  async dispose(): Promise<void> {
    this.length = 0;
    await this.#close();
  }
}

class RemoteVisionModel implements VisionModel {
  readonly tokens: number;
  readonly hidden: number;
  readonly #thread: BindingThread;
  readonly #model: number;

  constructor(thread: BindingThread, model: number, { tokens, hidden }: VisionModelSource) {
    this.#thread = thread;
    this.#model = model;
    this.tokens = tokens;
    this.hidden = hidden;
  }

  async encode(pixels: Float32Array, count: number, signal: AbortSignal): Promise<Float32Array> {
    return this.#thread.call("encode", { model: this.#model, pixels: owned(pixels), count }, signal);
  }

  async dispose(): Promise<void> {
    await this.#thread.call("close", { model: this.#model }, new AbortController().signal);
  }
}

/** Values with a buffer of their own: a message takes the whole buffer along. */
function owned(values: Float32Array): Float32Array {
  return values.byteLength === values.buffer.byteLength ? values : values.slice();
}

function portTo(worker: Worker, ended: () => void): Port {
  return {
    // A channel between threads: there is no origin to name.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on("message", listener),
    onExit: (listener) => {
      let over = false;
      const end = (reason: string) => {
        if (over) return;
        over = true;
        listener(reason);
        ended();
      };
      worker.on("error", () => end("the model runtime failed"));
      worker.on("exit", () => end("the model runtime ended"));
    },
    close: () => void worker.terminate(),
  };
}

function startWorker(): Worker {
  return new Worker(workerFile(), { name: "model runtime" });
}

/** Beside the built process; Node 20 runs no TypeScript, so that tests of the source use the built one too. */
function workerFile(): string {
  const beside = fileURLToPath(new URL("./runtime-worker.js", import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL("../../../dist/models/runtime-worker.js", import.meta.url));
}
