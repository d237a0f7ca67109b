import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import * as v from "valibot";
import type { Door } from "../core/client.ts";
import { appError } from "../core/errors.ts";
import { errorResponse, type RequestHandler } from "./transports/fetch.ts";
import { createNodeServer } from "./transports/node-http.ts";

/**
 * One process owns a data folder. It writes `owner.json` with the socket it listens on and a secret, readable by
 * this user only; a second process either asks the owner over that socket or ends with `archive-in-use`.
 */
export interface Owner {
  release(): Promise<void>;
}

const recordSchema = v.object({ pid: v.number(), socket: v.string(), secret: v.string() });
type OwnerRecord = v.InferOutput<typeof recordSchema>;

const recordName = "owner.json";
/** Unix sockets have paths of at most 103 octets on some systems. */
const maxSocketPath = 100;

/** @throws archive-in-use where another process owns the folder, read-only where it cannot be written. */
export async function takeDataFolder(dataFolder: string, handle: RequestHandler): Promise<Owner> {
  const record: OwnerRecord = {
    pid: process.pid,
    socket: await newSocketPath(),
    secret: randomBytes(32).toString("base64url"),
  };
  // It listens before the record is written: a record whose socket does not answer is always a dead owner's.
  const server = createNodeServer(async (request) => {
    if (!sameSecret(request.headers.get("authorization") ?? "", `Bearer ${record.secret}`)) {
      return errorResponse(appError("unauthorized", "Only programs of this user may use the app."));
    }
    return handle(request);
  });
  server.listen(record.socket);
  await once(server, "listening");
  const file = path.join(dataFolder, recordName);
  const release = async () => {
    const current = await readFile(file, "utf8").catch(() => "");
    if (current === JSON.stringify(record)) await rm(file, { force: true });
    server.close();
    server.closeAllConnections();
    if (process.platform !== "win32") await rm(path.dirname(record.socket), { recursive: true, force: true });
  };
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await writeRecord(file, record);
  } catch (thrown) {
    await release();
    throw thrown;
  }
  // The socket must not keep a command alive that has done its work.
  server.unref();
  return { release };
}

/** The door of the process that owns this folder now; null where none does. */
export async function findOwner(dataFolder: string): Promise<Door | null> {
  const record = await readRecord(path.join(dataFolder, recordName));
  if (!record || !(await answers(record.socket))) return null;
  return {
    base: "http://owner",
    authorization: () => `Bearer ${record.secret}`,
    fetch: (request) => fetchBySocket(record.socket, request),
  };
}

async function writeRecord(file: string, record: OwnerRecord): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await writeFile(file, JSON.stringify(record), { flag: "wx", mode: 0o600 });
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
        throw appError("read-only", "The data folder cannot be written. Check its permissions.", cause);
      }
    }
    const other = await readFile(file, "utf8").catch(() => "");
    const parsed = parseRecord(other);
    if (parsed && (await answers(parsed.socket))) {
      throw appError("archive-in-use", "The app is already open on this data folder. Close it first.");
    }
    // Only what was judged dead is removed; another process may have taken its place meanwhile.
    if ((await readFile(file, "utf8").catch(() => "")) === other) await rm(file, { force: true });
  }
  throw appError("archive-in-use", "Another process is opening this data folder. Try again.");
}

async function newSocketPath(): Promise<string> {
  if (process.platform === "win32") return `\\\\.\\pipe\\meditron-${randomBytes(16).toString("hex")}`;
  const runtime = process.env["XDG_RUNTIME_DIR"];
  for (const folder of [runtime, os.tmpdir(), "/tmp"]) {
    if (!folder || folder.length > maxSocketPath - 30) continue;
    // mkdtemp makes the folder readable by this user only.
    const own = await mkdtemp(path.join(folder, "meditron-")).catch(() => null);
    if (own) return path.join(own, "socket");
  }
  throw appError("read-only", "No folder for temporary files can be written.");
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.request({ socketPath: socket, method: "GET", path: "/", timeout: 2_000 });
    request.once("response", (response) => (response.destroy(), resolve(true)));
    request.once("timeout", () => (request.destroy(), resolve(true)));
    request.once("error", () => resolve(false));
    request.end();
  });
}

function fetchBySocket(socketPath: string, request: Request): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { pathname, search } = new URL(request.url);
    const outgoing = http.request({
      socketPath,
      method: request.method,
      path: pathname + search,
      headers: Object.fromEntries(request.headers),
      signal: request.signal,
    });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      const body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
      resolve(new Response(body, { status: incoming.statusCode ?? 502 }));
    });
    if (!request.body) outgoing.end();
    else Readable.fromWeb(request.body as never).pipe(outgoing);
  });
}

async function readRecord(file: string): Promise<OwnerRecord | null> {
  return parseRecord(await readFile(file, "utf8").catch(() => ""));
}

function parseRecord(text: string): OwnerRecord | null {
  try {
    const parsed = v.safeParse(recordSchema, JSON.parse(text));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

function sameSecret(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
