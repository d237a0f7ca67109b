import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

type Listener = (...values: unknown[]) => void;

/** What main.ts does with Electron, in the order in which it does it. */
const done = vi.hoisted(() => ({
  order: [] as string[],
  listeners: new Map<string, Listener[]>(),
  switches: new Map<string, string>(),
  schemes: [] as unknown[],
  session: { guarded: [] as string[], partition: "" },
  window: { options: {} as Record<string, unknown>, address: "" },
  answer: null as ((request: Request) => Promise<Response>) | null,
}));

// The package has no runtime here: importing it would try to fetch one.
vi.mock("electron", () => {
  const note = (what: string) => void done.order.push(what);
  const emit = (event: string, ...values: unknown[]) => {
    for (const listener of done.listeners.get(event) ?? []) listener(...values);
  };
  const guarded = (what: string) => () => void done.session.guarded.push(what);
  const session = {
    setPermissionRequestHandler: guarded("request"),
    setPermissionCheckHandler: guarded("check"),
    setDevicePermissionHandler: guarded("device"),
    webRequest: { onBeforeRequest: guarded("load") },
    protocol: {
      handle: (_scheme: string, handler: (request: Request) => Promise<Response>) => {
        note("serve");
        done.answer = handler;
      },
    },
  };
  class BrowserWindow {
    constructor(options: Record<string, unknown>) {
      note("window");
      done.window.options = options;
      emit("web-contents-created", {}, contents);
    }
    once(): void {}
    loadURL(address: string): Promise<void> {
      note("load");
      done.window.address = address;
      return Promise.resolve();
    }
  }
  const contents = {
    on: (event: string) => note(`guard ${event}`),
    setWindowOpenHandler: () => note("guard window.open"),
    setWebRTCIPHandlingPolicy: () => note("guard webrtc"),
  };
  return {
    BrowserWindow,
    dialog: { showErrorBox: (_title: string, text: string) => note(`error ${text}`) },
    safeStorage: {},
    utilityProcess: {},
    protocol: {
      registerSchemesAsPrivileged: (schemes: unknown[]) => {
        note("scheme");
        done.schemes = schemes;
      },
    },
    session: {
      fromPartition: (partition: string) => {
        note("session");
        done.session.partition = partition;
        emit("session-created", session);
        return session;
      },
    },
    app: {
      commandLine: {
        appendSwitch: (name: string, value = "") => void done.switches.set(name, value),
      },
      on: (event: string, listener: Listener) =>
        void done.listeners.set(event, [...(done.listeners.get(event) ?? []), listener]),
      requestSingleInstanceLock: () => true,
      enableSandbox: () => note("sandbox"),
      whenReady: () => {
        note("ready");
        return Promise.resolve();
      },
      quit: () => note("quit"),
      exit: () => note("exit"),
    },
  };
});

describe("the start of the desktop app", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "meditron-unit-"));
    vi.stubEnv("MEDITRON_DATA", path.join(folder, "data"));
    vi.stubEnv("MEDITRON_CONFIG", path.join(folder, "config"));
    await import("../../../electron/main.ts");
    await vi.waitFor(() => expect(done.order).toContain("load"));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  const before = (first: string, second: string) =>
    expect(done.order.indexOf(first)).toBeLessThan(done.order.indexOf(second));

  it("registers its scheme and asks for the sandbox before Electron is ready", () => {
    expect(done.order).toContain("sandbox");
    before("scheme", "ready");
    before("sandbox", "ready");
  });

  it("guards every session that is made, the window's own one before it loads anything", () => {
    expect(done.session.guarded.toSorted()).toEqual(["check", "device", "load", "request"]);
    expect(done.window.options["webPreferences"]).toMatchObject({
      session: expect.anything(),
      sandbox: true,
    });
    before("session", "load");
  });

  it("keeps what Chromium would store in memory", () => {
    expect(done.session.partition).toBe("meditron");
  });

  it("guards every page that is made, before it loads anything", () => {
    for (const guard of ["will-navigate", "will-attach-webview", "window.open", "webrtc"]) {
      before(`guard ${guard}`, "load");
    }
  });

  it("loads its own page by its own scheme, with a content security policy", async () => {
    expect(done.window.address).toBe("app://meditron/");
    before("serve", "load");
    const answer = await done.answer!(new Request("app://meditron/"));
    expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
  });

  it("tells Chromium to look up no name, search no proxy and fetch nothing in the background", () => {
    expect(Object.fromEntries(done.switches)).toEqual({
      "host-resolver-rules": "MAP * ~NOTFOUND",
      "no-proxy-server": "",
      "disable-background-networking": "",
    });
  });
});
