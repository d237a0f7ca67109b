import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { errorResponse, type RequestHandler } from "./fetch.ts";
import { createNodeServer } from "./node-http.ts";

/** The app as a page on 127.0.0.1, for machines without the desktop window. */
export interface LoopbackHost {
  readonly port: number;
  /**
   * A one-time address: its fragment holds a token that the page exchanges for a bearer. `lifeMs` for a window
   * that the app opens itself; null for a printed address, which is good until it is used.
   */
  link(lifeMs: number | null): string;
  close(): Promise<void>;
}

export const windowLinkLifeMs = 60_000;

const exchangeSchema = v.object({ token: v.pipe(v.string(), v.maxLength(200)) });

/**
 * Other programs and users of the machine can reach the port, and so can any web page: nothing is answered without
 * a bearer, and Host (DNS rebinding) and Origin (other pages) are checked. A bearer is no cookie: cookies ignore
 * the port, and another user's loopback service would be sent ours.
 */
export async function startLoopback(options: {
  handle: RequestHandler;
  port: number;
}): Promise<LoopbackHost> {
  const tokens = new Map<string, { expires: number }>();
  const bearers = new Set<string>();
  let ownHosts: readonly string[] = [];

  function checkOrigin(request: Request): void {
    if (!ownHosts.includes(request.headers.get("host") ?? "")) {
      throw appError("forbidden", "This address is not the app's own.");
    }
    const origin = request.headers.get("origin");
    if (origin !== null && !ownHosts.some((host) => origin === `http://${host}`)) {
      throw appError("forbidden", "Another page may not use the app.");
    }
  }

  async function exchange(request: Request): Promise<Response> {
    if (request.method !== "POST") throw appError("bad-request", "The session is opened with POST.");
    const body = v.safeParse(exchangeSchema, await request.json().catch(() => null));
    const key = body.success ? digest(body.output.token) : "";
    const token = tokens.get(key);
    tokens.delete(key);
    if (!token || token.expires < Date.now()) {
      throw appError("unauthorized", "This address was used or is too old. Run: meditron serve --link");
    }
    const bearer = randomBytes(32).toString("base64url");
    bearers.add(digest(bearer));
    return Response.json({ bearer }, { headers: { "cache-control": "no-store" } });
  }

  function checkBearer(request: Request): void {
    const bearer = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    // Compared by digest: how long the comparison takes says nothing about the bearer.
    if (bearer === undefined || !bearers.has(digest(bearer))) {
      throw appError("unauthorized", "This page has no session. Run: meditron serve --link");
    }
  }

  const server = createNodeServer(async (request) => {
    try {
      checkOrigin(request);
      const { pathname } = new URL(request.url);
      if (pathname === "/session") return await exchange(request);
      if (pathname.startsWith("/api/")) checkBearer(request);
      return await options.handle(request);
    } catch (thrown) {
      return errorResponse(thrown);
    }
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening").catch((cause: unknown) => {
    throw appError("usage", `Port ${options.port} cannot be used. Choose another with --port.`, cause);
  });
  const { port } = server.address() as AddressInfo;
  ownHosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  return {
    port,
    link(lifeMs) {
      const token = randomBytes(32).toString("base64url");
      tokens.set(digest(token), { expires: lifeMs === null ? Infinity : Date.now() + lifeMs });
      return `http://127.0.0.1:${port}/#token=${token}`;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
