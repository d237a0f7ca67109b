import http from "node:http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { App } from "../../host/app.ts";
import { type LoopbackHost, startLoopback } from "../../host/transports/loopback.ts";
import { type Fixture, makeFixture, startFixtureApp } from "./fixture-app.ts";

describe("the loopback host", () => {
  let fixture: Fixture;
  let app: App;
  let host: LoopbackHost;
  let bearer: string;

  beforeAll(async () => {
    fixture = await makeFixture();
    app = startFixtureApp(fixture);
    host = await startLoopback({ handle: app.handle, port: 0 });
    bearer = await exchange(tokenOf(host.link(null)));
  });
  afterAll(async () => {
    await host.close();
    await app.stop();
    await fixture.remove();
  });

  const tokenOf = (link: string) => new URL(link).hash.replace("#token=", "");

  async function exchange(token: string): Promise<string> {
    const { status, body } = await send("/session", { method: "POST", body: JSON.stringify({ token }) });
    return status === 200 ? (JSON.parse(body) as { bearer: string }).bearer : `refused with ${status}`;
  }

  /** node:http, since fetch sets Host and Origin itself. */
  function send(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
    return new Promise((resolve, reject) => {
      const { method = "GET", headers = {}, body = "" } = options;
      const request = http.request(
        { host: "127.0.0.1", port: host.port, path, method, headers },
        (answer) => {
          let text = "";
          answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
          answer.on("end", () =>
            resolve({ status: answer.statusCode!, headers: answer.headers, body: text }),
          );
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  }
  const call = (headers: Record<string, string> = {}) =>
    send("/api/app.info", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${bearer}`, ...headers },
      body: "{}",
    });

  it("listens on 127.0.0.1 only and keeps the token in the fragment", () => {
    const link = new URL(host.link(null));
    expect(link.hostname).toBe("127.0.0.1");
    expect(link.search).toBe("");
    expect(tokenOf(link.href).length).toBeGreaterThanOrEqual(43);
  });

  it("answers a procedure to a bearer alone", async () => {
    expect((await call()).status).toBe(200);
    for (const authorization of ["", "Bearer ", "Bearer x", `Bearer ${bearer}x`, `Basic ${bearer}`]) {
      expect((await call({ authorization })).status).toBe(401);
    }
    expect((await call({ authorization: "", cookie: `bearer=${bearer}` })).status).toBe(401);
  });

  it("takes a token once", async () => {
    const token = tokenOf(host.link(null));
    expect(await exchange(token)).toMatch(/^[\w-]{43}$/);
    expect(await exchange(token)).toBe("refused with 401");
    expect(await exchange("")).toBe("refused with 401");
    expect(await exchange("A".repeat(43))).toBe("refused with 401");
  });

  it("takes the token of a window for its time only, and a printed one until it is used", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const [ofWindow, printed] = [tokenOf(host.link(60_000)), tokenOf(host.link(null))];
      vi.setSystemTime(Date.now() + 61_000);
      expect(await exchange(ofWindow)).toBe("refused with 401");
      vi.setSystemTime(Date.now() + 30 * 24 * 3_600_000);
      expect(await exchange(printed)).toMatch(/^[\w-]{43}$/);
    } finally {
      vi.useRealTimers();
    }
  });

  it("refuses another host name (DNS rebinding) and another page's origin", async () => {
    expect((await call({ host: `evil.example:${host.port}` })).status).toBe(403);
    expect((await call({ host: `127.0.0.1:${host.port + 1}` })).status).toBe(403);
    expect((await send("/", { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await call({ origin: "https://evil.example" })).status).toBe(403);
    expect((await call({ origin: "null" })).status).toBe(403);
    expect((await call({ origin: `http://127.0.0.1:${host.port + 1}` })).status).toBe(403);
    expect(
      (await call({ host: `localhost:${host.port}`, origin: `http://localhost:${host.port}` })).status,
    ).toBe(200);
    expect((await call({ origin: `http://127.0.0.1:${host.port}` })).status).toBe(200);
  });

  it("gives no page of another origin leave to read", async () => {
    const preflight = await send("/api/app.info", {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(403);
    for (const { headers } of [preflight, await call(), await send("/")]) {
      expect(Object.keys(headers).filter((header) => header.startsWith("access-control"))).toEqual([]);
      expect(headers["set-cookie"]).toBeUndefined();
    }
  });

  it("takes no procedure by a form of another page", async () => {
    expect((await call({ "content-type": "text/plain" })).status).toBe(400);
    expect((await call({ "content-type": "application/x-www-form-urlencoded" })).status).toBe(400);
    const byGet = await send("/api/app.info", { headers: { authorization: `Bearer ${bearer}` } });
    expect(byGet.status).toBe(400);
  });

  it("lets nothing of a procedure be stored", async () => {
    expect((await call()).headers["cache-control"]).toBe("no-store");
    expect((await call({ authorization: "" })).headers["cache-control"]).toBe("no-store");
  });

  it("serves the page with a strict policy and the right types", async () => {
    const page = await send("/");
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    expect(page.headers["x-content-type-options"]).toBe("nosniff");
    expect(page.headers["referrer-policy"]).toBe("no-referrer");
    const policy = page.headers["content-security-policy"] as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-|https?:|data:|\*/);
    expect(/script-src ([^;]+)/.exec(policy)?.[1]).toBe("'self'");
    expect((await send("/assets/a.wasm")).headers["content-type"]).toBe("application/wasm");
    expect((await send("/studies/1.2.3")).status).toBe(404);
  });

  it("serves no file outside the page", async () => {
    for (const path of [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/%2e%2e%2fsecret.txt",
      "/assets/..%2f..%2fsecret.txt",
      "/%00.txt",
      "/%zz",
    ]) {
      const { status, body } = await send(path);
      expect([400, 404]).toContain(status);
      expect(body).not.toContain("not of the page");
    }
  });
});
