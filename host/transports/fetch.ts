import { contract, type BytesName } from "../../core/contract.ts";
import { appError, errorRecord, errorTable, toAppError } from "../../core/errors.ts";
import type { Log } from "../log.ts";
import type { Router } from "../router.ts";
import type { StaticFiles } from "./static-files.ts";
import { streamBody, type StreamTimes, streamTimes } from "./stream-body.ts";

/** A door made of the web's own types: Electron's protocol, the loopback host and tests all end here. */
export type RequestHandler = (request: Request) => Promise<Response>;

export interface FetchOptions {
  readonly router: Router;
  readonly pages: StaticFiles;
  readonly log: Log;
  readonly times?: StreamTimes;
}

/** An input of JSON is a question or a list of paths, never pixels. */
const maxInputBytes = 16 * 1024 * 1024;

/** `POST /api/NAME` is a procedure, every `GET` a file of the page. */
export function createRequestHandler(options: FetchOptions): RequestHandler {
  const { router, pages, log } = options;

  async function procedure(name: string, request: Request): Promise<Response> {
    if (request.method !== "POST") throw appError("bad-request", "Procedures are called with POST.");
    const { signal } = request;
    switch (router.kindOf(name)) {
      case "call":
        return json(await router.call(name, await readInput(request), signal));
      case "bytes": {
        const octets = await router.bytes(name, await readInput(request), signal);
        const headers = { "content-type": contract[name as BytesName].contentType, ...noStore };
        return new Response(octets as Uint8Array<ArrayBuffer>, { headers });
      }
      case "upload": {
        const text = new URL(request.url).searchParams.get("input") ?? "";
        const body = (request.body ?? []) as AsyncIterable<Uint8Array>;
        return json(await router.upload(name, { input: parseJson(text), body }, signal));
      }
      case "stream": {
        const open = router.stream(name, await readInput(request), signal);
        const onFailure = (thrown: unknown) => logFailure(log, name, thrown);
        const body = streamBody(open, { times: options.times ?? streamTimes, onFailure });
        return new Response(body, { headers: { "content-type": "application/x-ndjson", ...noStore } });
      }
    }
  }

  return async (request) => {
    const { pathname } = new URL(request.url);
    const name = pathname.startsWith("/api/") ? pathname.slice("/api/".length) : null;
    try {
      const response = name === null ? await pages.read(request) : await procedure(name, request);
      return withSafeHeaders(response);
    } catch (thrown) {
      logFailure(log, name ?? "page", thrown);
      return withSafeHeaders(errorResponse(thrown));
    }
  };
}

export function errorResponse(thrown: unknown): Response {
  const error = errorRecord(thrown);
  return json({ error }, errorTable[error.code].status);
}

function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", ...noStore },
  });
}

const noStore = { "cache-control": "no-store" };

function withSafeHeaders(response: Response): Response {
  // A page brings its own; what a procedure answers is no page and may do nothing.
  if (!response.headers.has("content-security-policy")) {
    response.headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  }
  response.headers.set("x-content-type-options", "nosniff");
  response.headers.set("referrer-policy", "no-referrer");
  response.headers.set("cross-origin-resource-policy", "same-origin");
  response.headers.set("cross-origin-opener-policy", "same-origin");
  return response;
}

async function readInput(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  // A form of another site can send text/plain without asking, but not JSON.
  if (!type.startsWith("application/json"))
    throw appError("bad-request", "The input of a procedure is JSON.");
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > maxInputBytes) throw appError("too-large", "The input is too large.");
    parts.push(part);
  }
  return parseJson(Buffer.concat(parts).toString("utf8"));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw appError("bad-request", "The input is not JSON.");
  }
}

function logFailure(log: Log, where: string, thrown: unknown): void {
  const { code, cause } = toAppError(thrown);
  if (code !== "cancelled") log.write({ where, what: code, cause });
}
