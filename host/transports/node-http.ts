import http from "node:http";
import { Readable } from "node:stream";
import { once } from "node:events";
import { errorResponse, type RequestHandler } from "./fetch.ts";

/** A Node HTTP server in front of a handler of web Requests. */
export function createNodeServer(handle: RequestHandler): http.Server {
  const server = http.createServer({ keepAliveTimeout: 5_000 }, (incoming, outgoing) => {
    void answer(handle, incoming, outgoing);
  });
  // An answer streams for as long as a model works; only a client that sends its request slowly is cut off.
  server.requestTimeout = 0;
  server.headersTimeout = 15_000;
  return server;
}

async function answer(handle: RequestHandler, incoming: http.IncomingMessage, outgoing: http.ServerResponse) {
  const controller = new AbortController();
  outgoing.once("close", () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  let response: Response;
  try {
    response = await handle(toRequest(incoming, controller.signal));
  } catch (thrown) {
    response = errorResponse(thrown);
  }
  try {
    await write(response, outgoing);
  } catch {
    // The body broke off: so must the connection, or the client takes what it has for the whole.
    outgoing.destroy();
  }
}

function toRequest(incoming: http.IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) headers.append(name, one);
  }
  const hasBody = incoming.method !== "GET" && incoming.method !== "HEAD";
  return new Request(new URL(incoming.url ?? "/", `http://${incoming.headers.host ?? "localhost"}`), {
    method: incoming.method ?? "GET",
    headers,
    signal,
    ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: "half" } : {}),
  } as RequestInit);
}

async function write(response: Response, outgoing: http.ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (!response.body) {
    outgoing.end();
    return;
  }
  const reader = response.body.getReader();
  const closed = once(outgoing, "close");
  // Node's server never cancels a body by itself.
  const leave = () => void reader.cancel().catch(() => undefined);
  outgoing.once("close", leave);
  outgoing.flushHeaders();
  for (;;) {
    const { value, done } = await reader.read();
    if (done || outgoing.destroyed) break;
    if (!outgoing.write(value)) await Promise.race([once(outgoing, "drain"), closed]);
  }
  outgoing.end();
}
