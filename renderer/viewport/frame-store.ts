import type { Client } from "../../core/client.ts";
import { decodeFrame } from "../../core/frame-codec.ts";
import type { FrameRef, FrameSummary, PixelFrame } from "../../core/frame.ts";

export interface ShownFrame {
  readonly ref: FrameRef;
  readonly frame: PixelFrame;
  readonly summary: FrameSummary;
}

/** Frames as the archive decoded them, kept up to a bound in bytes; the least recently used go first. */
export interface FrameStore {
  read(ref: FrameRef): Promise<ShownFrame>;
  /** What is kept already, without waiting. */
  peek(ref: FrameRef): ShownFrame | undefined;
  /** Reads these, in this order, when nothing more urgent waits; replaces the list given before. */
  prefetch(refs: readonly FrameRef[]): void;
  clear(): void;
  readonly bytes: number;
}

const defaultBound = 384 * 1024 * 1024;
const prefetchAtOnce = 2;

export function createFrameStore(client: Client, bound = defaultBound): FrameStore {
  const kept = new Map<string, ShownFrame>();
  const open = new Map<string, Promise<ShownFrame>>();
  let queue: readonly FrameRef[] = [];
  let prefetching = 0;
  let bytes = 0;
  let generation = 0;

  async function fetchFrame(ref: FrameRef): Promise<ShownFrame> {
    const started = generation;
    const [octets, summary] = await Promise.all([
      client.bytes("frames.pixels", ref),
      client.call("frames.summary", ref),
    ]);
    const shown = { ref, frame: decodeFrame(octets), summary };
    if (started === generation) keep(shown);
    return shown;
  }

  function keep(shown: ShownFrame): void {
    kept.set(keyOf(shown.ref), shown);
    bytes += shown.frame.values.byteLength;
    for (const [key, old] of kept) {
      if (bytes <= bound || old === shown) break;
      kept.delete(key);
      bytes -= old.frame.values.byteLength;
    }
  }

  function read(ref: FrameRef): Promise<ShownFrame> {
    const found = peek(ref);
    if (found) return Promise.resolve(found);
    const key = keyOf(ref);
    const running = open.get(key);
    if (running) return running;
    const reading = fetchFrame(ref).finally(() => open.delete(key));
    open.set(key, reading);
    return reading;
  }

  function peek(ref: FrameRef): ShownFrame | undefined {
    const key = keyOf(ref);
    const found = kept.get(key);
    if (found) {
      kept.delete(key);
      kept.set(key, found);
    }
    return found;
  }

  function pump(): void {
    while (prefetching < prefetchAtOnce) {
      const [ref, ...rest] = queue;
      if (!ref) return;
      queue = rest;
      if (kept.has(keyOf(ref)) || open.has(keyOf(ref))) continue;
      prefetching += 1;
      // A failed neighbour is named when the user gets to it, not now.
      void read(ref)
        .catch(() => undefined)
        .finally(() => {
          prefetching -= 1;
          pump();
        });
    }
  }

  return {
    read,
    peek,
    prefetch(refs) {
      queue = refs;
      pump();
    },
    clear() {
      generation += 1;
      kept.clear();
      queue = [];
      bytes = 0;
    },
    get bytes() {
      return bytes;
    },
  };
}

function keyOf(ref: FrameRef): string {
  return `${ref.sopInstanceUid}#${ref.frame}`;
}
