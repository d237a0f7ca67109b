import { type Client, createClient, type Door } from "../../core/client.ts";
import { serveScheme } from "../../electron/protocol.ts";
import type { App } from "../../host/app.ts";
import { createDirectClient } from "../../host/direct-client.ts";
import { findOwner } from "../../host/owner.ts";
import type { RequestHandler } from "../../host/transports/fetch.ts";
import { startLoopback } from "../../host/transports/loopback.ts";

export interface OpenDoor {
  readonly client: Client;
  /** Null where a caller cannot send requests of its own. */
  readonly door: Door | null;
  close(): Promise<void>;
}

/** Every way into the app. */
export const doors: Readonly<Record<string, (app: App, dataFolder: string) => Promise<OpenDoor>>> = {
  router: (app) =>
    Promise.resolve({ client: createDirectClient(app.router), door: null, close: () => Promise.resolve() }),
  handleRequest: (app) => Promise.resolve(through(fetchDoor(app.handle))),
  electron: (app) => Promise.resolve(through(electronDoor(app.handle))),
  loopback: async (app) => {
    const host = await startLoopback({ handle: app.handle, port: 0 });
    const { origin, hash } = new URL(host.link(60_000));
    const session = await fetch(`${origin}/session`, {
      method: "POST",
      body: JSON.stringify({ token: new URLSearchParams(hash.slice(1)).get("token") }),
    });
    const { bearer } = (await session.json()) as { bearer: string };
    const door: Door = { base: origin, fetch, authorization: () => `Bearer ${bearer}` };
    return { ...through(door), close: () => host.close() };
  },
  "owner's socket": async (app, dataFolder) => {
    await app.takeFolder();
    const door = await findOwner(dataFolder);
    if (!door) throw new Error("nobody owns the data folder");
    return through(door);
  },
};

function through(door: Door): OpenDoor {
  return { client: createClient(door), door, close: () => Promise.resolve() };
}

function fetchDoor(handle: RequestHandler): Door {
  return { base: "http://app", fetch: handle, authorization: () => null };
}

/**
 * The handler that Electron gets, called as Electron calls it: the Request has no signal that ever fires, and a
 * page that aborts only cancels the body of the Response.
 */
function electronDoor(handle: RequestHandler): Door {
  let handler: RequestHandler | undefined;
  serveScheme({ handle: (_scheme, given) => void (handler = given) }, handle);
  return {
    base: "app://meditron",
    authorization: () => null,
    async fetch(request) {
      const { signal } = request;
      const body = request.body ? await request.arrayBuffer() : null;
      const sent = new Request(request.url, { method: request.method, headers: request.headers, body });
      const response = await Promise.race([handler!(sent), rejectOnAbort(signal)]);
      if (!response.body) return response;
      const reader = response.body.getReader();
      const passed = new ReadableStream<Uint8Array>({
        async pull(sink) {
          const { value, done } = await reader.read();
          if (done) sink.close();
          else sink.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      });
      signal.addEventListener("abort", () => void reader.cancel());
      return new Response(passed, response);
    },
  };
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
}
