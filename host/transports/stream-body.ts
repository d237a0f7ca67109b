import type { StreamLine } from "../../core/contract.ts";
import { errorRecord } from "../../core/errors.ts";
import type { OpenStream } from "../router.ts";

export interface StreamTimes {
  /** A body that nobody reads for so long has no consumer any more. */
  readonly unreadMs: number;
  /** An empty line after so long without an event: it finds out that a consumer is gone. */
  readonly heartbeatMs: number;
}

export const streamTimes: StreamTimes = { unreadMs: 30_000, heartbeatMs: 10_000 };

/**
 * A stream of events as NDJSON (core/contract.ts StreamLine). It is read on demand: the next event is asked for
 * when the last line was taken, so that an unread line means an absent consumer.
 *
 * A consumer leaves in different ways: Electron's `protocol.handle` only cancels this body, Node's HTTP server
 * only fires the request's signal, and some only stop reading. All of them abort the stream.
 */
export function streamBody(
  open: OpenStream,
  options: { times: StreamTimes; onFailure(thrown: unknown): void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const line = (content: StreamLine<unknown>) => encoder.encode(`${JSON.stringify(content)}\n`);
  let next: Promise<IteratorResult<unknown, void>> | null = null;
  let unread: NodeJS.Timeout | undefined;

  function leave(): void {
    clearTimeout(unread);
    open.abort();
    open.events.return().catch(() => undefined);
  }
  function watchUnread(sink: ReadableStreamDefaultController<Uint8Array>): void {
    unread = setTimeout(() => {
      leave();
      sink.error(new Error("nobody reads this stream"));
    }, options.times.unreadMs);
    unread.unref();
  }

  return new ReadableStream<Uint8Array>({
    start(sink) {
      sink.enqueue(line({ stream: open.id }));
      watchUnread(sink);
    },
    async pull(sink) {
      clearTimeout(unread);
      try {
        next ??= open.events.next();
        const result = await firstOf(next, options.times.heartbeatMs);
        if (result === "silence") sink.enqueue(encoder.encode("\n"));
        else {
          next = null;
          sink.enqueue(line(result.done ? { end: true } : { event: result.value }));
          if (result.done) return sink.close();
        }
      } catch (thrown) {
        options.onFailure(thrown);
        sink.enqueue(line({ error: errorRecord(thrown) }));
        return sink.close();
      }
      watchUnread(sink);
    },
    cancel: leave,
  });
}

async function firstOf<Value>(value: Promise<Value>, milliseconds: number): Promise<Value | "silence"> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<"silence">((resolve) => {
    timer = setTimeout(() => resolve("silence"), milliseconds);
  });
  try {
    return await Promise.race([value, silence]);
  } finally {
    clearTimeout(timer);
  }
}
