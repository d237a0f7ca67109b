import {
  appError,
  errorFromRecord,
  errorRecord,
  type ErrorRecord,
  throwIfAborted,
  toAppError,
} from "./errors.ts";
import type { Port } from "./port.ts";

/**
 * Typed calls over a Port. An Api is a plain object of async functions and async generators that take one input
 * and an AbortSignal; its kinds table says which is which, so that the calling side can build the same object.
 */

type CallFunction = (input: never, signal: AbortSignal) => Promise<unknown>;
type StreamFunction = (input: never, signal: AbortSignal) => AsyncGenerator<unknown, void, void>;

export type ApiKinds<Api> = {
  readonly [Name in keyof Api]: Api[Name] extends StreamFunction ? "stream" : "call";
};

type ToChild =
  | { type: "call" | "stream"; id: number; name: string; input: unknown }
  | { type: "more"; id: number }
  | { type: "cancel"; id: number };

type FromChild =
  | { type: "value"; id: number; value: unknown }
  | { type: "event"; id: number; event: unknown }
  | { type: "end"; id: number }
  | { type: "error"; id: number; error: ErrorRecord };

/** What the log of the serving side gets for a failure without a name. */
export type FailureLog = (name: string, cause: unknown) => void;

/** Serves `api` on `port` until the other side is gone; open work is aborted then. */
export function serveApi<Api extends object>(port: Port, api: Api, log: FailureLog): void {
  const open = new Map<number, AbortController>();
  const reply = (message: FromChild) => port.post(message);

  async function run(message: Extract<ToChild, { type: "call" | "stream" }>): Promise<void> {
    const controller = new AbortController();
    open.set(message.id, controller);
    try {
      if (!Object.hasOwn(api, message.name))
        throw appError("unknown-procedure", `No procedure ${message.name}.`);
      const work = (api as Record<string, CallFunction | StreamFunction>)[message.name]!;
      const result = work(message.input as never, controller.signal);
      if (message.type === "call") {
        reply({ type: "value", id: message.id, value: await (result as Promise<unknown>) });
        return;
      }
      for await (const event of result as AsyncGenerator<unknown>) {
        throwIfAborted(controller.signal);
        reply({ type: "event", id: message.id, event });
      }
      reply({ type: "end", id: message.id });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === "internal") log(message.name, error.cause);
      reply({ type: "error", id: message.id, error: errorRecord(error) });
    } finally {
      open.delete(message.id);
    }
  }

  port.onMessage((raw) => {
    const message = raw as ToChild;
    if (message.type === "cancel") open.get(message.id)?.abort();
    else if (message.type === "call" || message.type === "stream") void run(message);
  });
  port.onExit(() => {
    for (const controller of open.values()) controller.abort();
  });
}

interface Pending {
  onValue(value: unknown): void;
  onEvent(event: unknown): void;
  onEnd(): void;
  onError(error: unknown): void;
}

/** The object that `serveApi` serves, as seen from the other end of the port. */
export function connectApi<Api extends object>(port: Port, kinds: ApiKinds<Api>): Api {
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let lost: string | undefined;

  port.onMessage((raw) => {
    const message = raw as FromChild;
    const waiting = pending.get(message.id);
    if (!waiting) return;
    if (message.type === "value") waiting.onValue(message.value);
    else if (message.type === "event") waiting.onEvent(message.event);
    else if (message.type === "end") waiting.onEnd();
    else waiting.onError(errorFromRecord(message.error));
  });
  port.onExit((reason) => {
    lost = reason;
    for (const waiting of pending.values()) waiting.onError(processLost(reason));
    pending.clear();
  });

  function send(
    type: "call" | "stream",
    request: { name: string; input: unknown },
    waiting: Pending,
  ): number {
    if (lost !== undefined) throw processLost(lost);
    const id = nextId++;
    pending.set(id, waiting);
    port.post({ type, id, ...request } satisfies ToChild);
    return id;
  }

  function call(name: string, input: unknown, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const cancel = () => port.post({ type: "cancel", id } satisfies ToChild);
      const finish = () => {
        signal.removeEventListener("abort", cancel);
        pending.delete(id);
      };
      const id = send(
        "call",
        { name, input },
        {
          onValue: (value) => (finish(), resolve(value)),
          onError: (error) => (finish(), reject(error as Error)),
          onEvent: () => undefined,
          onEnd: () => undefined,
        },
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  async function* stream(
    name: string,
    input: unknown,
    signal: AbortSignal,
  ): AsyncGenerator<unknown, void, void> {
    throwIfAborted(signal);
    const events: unknown[] = [];
    let state: "open" | "ended" | { error: unknown } = "open";
    let wake: () => void = () => undefined;
    const id = send(
      "stream",
      { name, input },
      {
        onValue: () => undefined,
        onEvent: (event) => (events.push(event), wake()),
        onEnd: () => ((state = "ended"), wake()),
        onError: (error) => ((state = { error }), wake()),
      },
    );
    const cancel = () => port.post({ type: "cancel", id } satisfies ToChild);
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for (;;) {
        while (events.length > 0) yield events.shift();
        const now = state as "open" | "ended" | { error: unknown };
        if (now === "ended") return;
        if (now !== "open") throw now.error;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      if (pending.delete(id) && state === "open" && lost === undefined) cancel();
    }
  }

  const api: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    api[name] = (input: unknown, signal: AbortSignal) =>
      kind === "call" ? call(name, input, signal) : stream(name, input, signal);
  }
  return api as Api;
}

function processLost(reason: string): Error {
  return appError(
    "process-lost",
    `A part of the app stopped (${reason}). It starts again with the next request.`,
  );
}
