import { describe, expect, it, vi } from "vitest";

// The package has no runtime here: importing it would try to fetch one.
vi.mock("electron", () => ({ BrowserWindow: null, utilityProcess: {} }));
const { windowOptions } = await import("../../../electron/window.ts");
const { utilityPort } = await import("../../../electron/spawn.ts");
const { cliArguments } = await import("../../../electron/cli-arguments.ts");
const { registerScheme, serveScheme } = await import("../../../electron/protocol.ts");

describe("the desktop window", () => {
  it("is sandboxed and isolated, without Node", () => {
    expect(windowOptions("/p/preload.cjs").webPreferences).toMatchObject({
      preload: "/p/preload.cjs",
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
    });
  });

  it("registers a scheme that can stream", () => {
    const schemes: unknown[] = [];
    registerScheme({ registerSchemesAsPrivileged: (given) => void schemes.push(...given) });
    expect(schemes).toEqual([
      { scheme: "app", privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
    ]);
  });

  it("answers for its own host alone", async () => {
    let handler: ((request: Request) => Promise<Response>) | undefined;
    serveScheme({ handle: (_scheme, given) => void (handler = given) }, () =>
      Promise.resolve(new Response("in")),
    );
    expect(await (await handler!(new Request("app://meditron/x"))).text()).toBe("in");
    expect((await handler!(new Request("app://other/x"))).status).toBe(403);
    const from = (origin: string) =>
      handler!(new Request("app://meditron/x", { method: "POST", headers: { origin } }));
    expect((await from("app://meditron")).status).toBe(200);
    expect((await from("https://example.org")).status).toBe(403);
    expect((await from("null")).status).toBe(403);
  });
});

describe("the command line of the installed program", () => {
  it("passes on what follows --cli, and opens the window without it", () => {
    expect(cliArguments(["meditron", "--cli", "list", "--json"])).toEqual(["list", "--json"]);
    expect(cliArguments(["meditron", "--no-sandbox", "--cli"])).toEqual([]);
    expect(cliArguments(["meditron", "."])).toBeNull();
  });
});

describe("a utility process as a port", () => {
  function child() {
    const listeners = new Map<string, (value: never) => void>();
    const posted: unknown[] = [];
    let killed = false;
    const port = utilityPort({
      postMessage: (message) => void posted.push(message),
      on: (event: string, listener: (value: never) => void) => listeners.set(event, listener),
      kill: () => (killed = true),
    });
    const emit = (event: string, value: unknown) => listeners.get(event)!(value as never);
    return { port, posted, emit, killed: () => killed };
  }

  it("keeps messages that come before there is a listener", () => {
    const { port, emit } = child();
    emit("message", 1);
    const got: unknown[] = [];
    port.onMessage((message) => got.push(message));
    emit("message", 2);
    expect(got).toEqual([1, 2]);
  });

  it("tells of its end once, to a late listener too, and posts nothing after it", () => {
    const { port, emit, posted } = child();
    port.post("a");
    emit("exit", 9);
    port.post("b");
    const reasons: string[] = [];
    port.onExit((reason) => reasons.push(reason));
    expect(reasons).toEqual(["exit code 9"]);
    expect(posted).toEqual(["a"]);
  });

  it("is killed when it is closed", () => {
    const { port, killed } = child();
    port.close();
    expect(killed()).toBe(true);
  });
});
