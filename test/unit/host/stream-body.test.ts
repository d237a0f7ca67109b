import { describe, expect, it, vi } from "vitest";
import { appError } from "../../../core/errors.ts";
import type { OpenStream } from "../../../host/router.ts";
import { streamBody } from "../../../host/transports/stream-body.ts";

const long = { unreadMs: 60_000, heartbeatMs: 60_000 };

function openStream(events: (controller: AbortController) => AsyncGenerator<unknown, void, void>) {
  const controller = new AbortController();
  const open: OpenStream = { id: "the-id", events: events(controller), abort: () => controller.abort() };
  return { open, controller };
}

const body = (open: OpenStream, times = long) => streamBody(open, { times, onFailure: () => undefined });

describe("the body of a stream", () => {
  it("names the stream, gives its events and ends", async () => {
    const { open } = openStream(async function* () {
      yield { n: 1 };
      yield { n: 2 };
    });
    expect(await new Response(body(open)).text()).toBe(
      '{"stream":"the-id"}\n{"event":{"n":1}}\n{"event":{"n":2}}\n{"end":true}\n',
    );
  });

  it("ends with the failure instead of an end", async () => {
    const { open } = openStream(async function* () {
      yield 1;
      throw appError("process-lost", "Gone.");
    });
    const lines = (await new Response(body(open)).text()).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown).at(-1)).toEqual({
      error: { code: "process-lost", message: "Gone." },
    });
  });

  it("aborts and returns the generator when the body is cancelled", async () => {
    let returned = false;
    const { open, controller } = openStream(async function* () {
      try {
        for (;;) yield 1;
      } finally {
        returned = true;
      }
    });
    const reader = body(open).getReader();
    await reader.read();
    await reader.read();
    await reader.cancel();
    expect(controller.signal.aborted).toBe(true);
    await vi.waitFor(() => expect(returned).toBe(true));
  });

  it("aborts when nobody has read for the time allowed", async () => {
    let returned = false;
    const { open, controller } = openStream(async function* () {
      try {
        for (;;) yield 1;
      } finally {
        returned = true;
      }
    });
    const reader = body(open, { ...long, unreadMs: 20 }).getReader();
    await reader.read();
    await reader.read();
    await vi.waitFor(() => expect(controller.signal.aborted).toBe(true));
    await vi.waitFor(() => expect(returned).toBe(true));
  });

  it("sends an empty line while there is no event, and loses none", async () => {
    let give: (value: number) => void = () => undefined;
    const { open } = openStream(async function* () {
      yield await new Promise<number>((resolve) => (give = resolve));
    });
    const reader = body(open, { ...long, heartbeatMs: 10 }).getReader();
    const next = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await next()).toContain("the-id");
    expect(await next()).toBe("\n");
    give(7);
    const rest = [await next(), await next(), await next()].filter((line) => line !== "\n");
    expect(rest[0]).toBe('{"event":7}\n');
  });
});
