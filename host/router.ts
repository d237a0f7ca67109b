import { randomUUID } from "node:crypto";
import * as v from "valibot";
import {
  type BytesName,
  type CallName,
  contract,
  type Contract,
  type Output,
  type Parsed,
  type ProcedureName,
  type StreamEvent,
  type StreamName,
  type UploadName,
} from "../core/contract.ts";
import { appError, throwIfAborted } from "../core/errors.ts";
import type { Log } from "./log.ts";

/** Every procedure of the contract but `streams.cancel`, which the router itself answers. */
export type Procedures = {
  readonly [Name in Exclude<ProcedureName, "streams.cancel">]: Implementation<Name>;
};

/** The procedures of one file of `procedures/`. */
export type Part<Names extends keyof Procedures> = Pick<Procedures, Names>;

type Implementation<Name extends ProcedureName> = Name extends CallName
  ? (input: Parsed<Name>, signal: AbortSignal) => Promise<Output<Name>>
  : Name extends StreamName
    ? (input: Parsed<Name>, signal: AbortSignal) => AsyncGenerator<StreamEvent<Name>, void, void>
    : Name extends BytesName
      ? (input: Parsed<Name>, signal: AbortSignal) => Promise<Uint8Array>
      : Name extends UploadName
        ? (upload: Upload<Name>, signal: AbortSignal) => Promise<Output<Name>>
        : never;

export interface Upload<Name extends UploadName> {
  readonly input: Parsed<Name>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A stream with the id that `streams.cancel` takes. */
export interface OpenStream {
  readonly id: string;
  readonly events: AsyncGenerator<unknown, void, void>;
  /** The one way to stop it: the caller's signal, a cancelled body and `streams.cancel` all end here. */
  abort(): void;
}

/**
 * The application behind every door. Names and inputs come from outside: both are checked here, once, and nothing
 * behind this line checks them again.
 */
export interface Router {
  kindOf(name: string): Contract[ProcedureName]["kind"];
  call(name: string, input: unknown, signal: AbortSignal): Promise<unknown>;
  stream(name: string, input: unknown, signal: AbortSignal): OpenStream;
  bytes(name: string, input: unknown, signal: AbortSignal): Promise<Uint8Array>;
  upload(
    name: string,
    upload: { input: unknown; body: AsyncIterable<Uint8Array> },
    signal: AbortSignal,
  ): Promise<unknown>;
}

export interface RouterOptions {
  readonly procedures: Procedures;
  readonly log: Log;
  /** Checks what comes out too: in tests and while developing. */
  readonly checkOutputs: boolean;
}

type AnyFunction = (input: unknown, signal: AbortSignal) => unknown;

export function createRouter(options: RouterOptions): Router {
  const openStreams = new Map<string, AbortController>();

  function implementation(name: string, kind: string): AnyFunction {
    if (!isProcedure(name))
      throw appError("unknown-procedure", `There is no procedure called ${name.slice(0, 60)}.`);
    if (contract[name].kind !== kind)
      throw appError("bad-request", `${name} is a ${contract[name].kind} procedure.`);
    if (name === "streams.cancel")
      return (input) => Promise.resolve(cancelStream((input as { stream: string }).stream));
    return options.procedures[name as keyof Procedures] as unknown as AnyFunction;
  }

  function cancelStream(id: string): { cancelled: boolean } {
    const controller = openStreams.get(id);
    controller?.abort();
    return { cancelled: controller !== undefined };
  }

  function checkOutput(name: string, schema: v.GenericSchema, value: unknown): void {
    if (!options.checkOutputs) return;
    const result = v.safeParse(schema, value);
    if (!result.success)
      throw new Error(`${name} gave what its contract does not allow: ${firstIssue(result.issues)}`);
  }

  async function* run(name: StreamName, input: unknown, life: { signal: AbortSignal; ended(): void }) {
    const { signal } = life;
    try {
      throwIfAborted(signal);
      const source = implementation(name, "stream")(input, signal) as AsyncGenerator<unknown, void, void>;
      for await (const event of untilAborted(source, signal)) {
        checkOutput(name, contract[name].event as v.GenericSchema, event);
        yield event;
      }
    } finally {
      life.ended();
    }
  }

  return {
    kindOf(name) {
      if (!isProcedure(name))
        throw appError("unknown-procedure", `There is no procedure called ${name.slice(0, 60)}.`);
      return contract[name].kind;
    },

    async call(name, input, signal) {
      const work = implementation(name, "call");
      const value = await work(parseInput(name, input), signal);
      checkOutput(name, contract[name as CallName].output as v.GenericSchema, value);
      return value;
    },

    stream(name, input, signal) {
      implementation(name, "stream");
      const parsed = parseInput(name, input);
      const controller = new AbortController();
      const id = randomUUID();
      const abort = () => {
        ended();
        controller.abort();
      };
      const ended = () => {
        openStreams.delete(id);
        signal.removeEventListener("abort", abort);
      };
      openStreams.set(id, controller);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      return { id, events: run(name as StreamName, parsed, { signal: controller.signal, ended }), abort };
    },

    async bytes(name, input, signal) {
      const work = implementation(name, "bytes");
      return (await work(parseInput(name, input), signal)) as Uint8Array;
    },

    async upload(name, { input, body }, signal) {
      const work = implementation(name, "upload");
      const value = await work({ input: parseInput(name, input), body }, signal);
      checkOutput(name, contract[name as UploadName].output as v.GenericSchema, value);
      return value;
    },
  };
}

function isProcedure(name: string): name is ProcedureName {
  return Object.hasOwn(contract, name);
}

function parseInput(name: string, input: unknown): unknown {
  const result = v.safeParse(contract[name as ProcedureName].input as v.GenericSchema, input);
  if (!result.success) throw appError("bad-request", `${name}: ${firstIssue(result.issues)}`);
  return result.output;
}

/** Where and why, without the value: it may hold what a user typed about a patient. */
function firstIssue(issues: readonly v.BaseIssue<unknown>[]): string {
  const issue = issues[0]!;
  const where = issue.path?.map((part) => String(part.key)).join(".") ?? "input";
  return `${where || "input"} is not as expected (${issue.expected ?? issue.type}).`;
}

/**
 * The events of `source` until the signal fires. The consumer hears of the abort at once, even where the source
 * is in the middle of something that cannot be stopped; the source is returned in any case.
 */
async function* untilAborted<Event>(source: AsyncGenerator<Event, void, void>, signal: AbortSignal) {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(appError("cancelled", "Cancelled."));
    signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => undefined);
  try {
    for (;;) {
      throwIfAborted(signal);
      const next = await Promise.race([source.next(), aborted]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    // Not awaited: an async generator queues `return` behind a `next` that may never settle.
    source.return().catch(() => undefined);
  }
}
