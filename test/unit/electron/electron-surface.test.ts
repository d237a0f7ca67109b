import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { readSources, root } from "../architecture/sources.ts";

const exposed = vi.hoisted(() => new Map<string, Record<string, unknown>>());
vi.mock("electron", () => ({
  contextBridge: {
    exposeInMainWorld: (name: string, api: Record<string, unknown>) => void exposed.set(name, api),
  },
  webUtils: { getPathForFile: () => "/a/path" },
}));

const sources = readSources();
const electron = sources.filter(({ folder }) => folder === "electron");
const shown = sources.filter(({ folder }) => folder === "electron" || folder === "renderer");

/** The files that hold one of these words. */
const holding = (from: typeof sources, words: RegExp) =>
  from.filter(({ text }) => words.test(text)).map(({ name }) => name);

describe("what the app uses of Electron", () => {
  it("is this and nothing more: no IPC, no shell, no remote, no clipboard", () => {
    const names = electron.flatMap(({ text }) =>
      [...text.matchAll(/import \{([^}]*)\} from "electron"/g)].flatMap(([, list]) =>
        list!.split(",").map((name) => name.trim().replace(/^type /, "")),
      ),
    );
    expect([...new Set(names)].filter(Boolean).toSorted()).toEqual([
      "BrowserWindow",
      "BrowserWindowConstructorOptions",
      "Session",
      "app",
      "contextBridge",
      "dialog",
      "protocol",
      "safeStorage",
      "session",
      "utilityProcess",
      "webUtils",
    ]);
    expect(holding(electron, /import \* as .* from "electron"|require\(|import electron/)).toEqual([]);
  });

  it("opens nothing outside: no other program, no file:// page", () => {
    expect(holding(electron, /openExternal|openPath|loadFile|file:\/\//)).toEqual([]);
    expect(holding(shown, /openExternal/)).toEqual([]);
  });

  it("has no webview and switches no protection off", () => {
    expect(holding(shown, /<webview|allowpopups|disablewebsecurity/i)).toEqual([]);
    expect(holding(electron, /webSecurity: false|nodeIntegration\w*: true|contextIsolation: false/)).toEqual(
      [],
    );
    expect(holding(electron, /sandbox: false|webviewTag: true|enableBlinkFeatures/)).toEqual([]);
    expect(holding(electron, /experimentalFeatures: true|allowRunningInsecureContent: true/)).toEqual([]);
  });

  it("has one process that may be given code of a page: none", () => {
    expect(holding(electron, /executeJavaScript|insertCSS|setContentSecurityPolicy|bypassCSP/)).toEqual([]);
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(path.join(root, "package.json"), "utf8"),
    ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
    expect(Object.keys({ ...dependencies, ...devDependencies })).not.toContain("@electron/remote");
  });

  it("gives the page one function: the path of a file that was dropped on it", async () => {
    await import("../../../electron/preload.ts");
    expect([...exposed.keys()]).toEqual(["meditron"]);
    expect(Object.keys(exposed.get("meditron")!)).toEqual(["pathOfFile"]);
    expect((exposed.get("meditron")!["pathOfFile"] as (file: unknown) => unknown)({})).toBe("/a/path");
  });
});
