import path from "node:path";
import { BrowserWindow, type BrowserWindowConstructorOptions, type Session } from "electron";
import { appOrigin } from "./protocol.ts";

/** A sandboxed window: its only way to the app is `fetch`. */
export function windowOptions(preload: string): BrowserWindowConstructorOptions {
  return {
    width: 1440,
    height: 900,
    minWidth: 1024,
    minHeight: 640,
    title: "MEDITRON Imaging Assistant (research use)",
    backgroundColor: "#16181b",
    show: false,
    autoHideMenuBar: true,
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      spellcheck: false,
      // A radiologist scrolls one window while an answer streams in another.
      backgroundThrottling: false,
    },
  };
}

export async function openWindow(session: Session, root: string): Promise<BrowserWindow> {
  const options = windowOptions(path.join(root, "dist", "electron", "preload.cjs"));
  const window = new BrowserWindow({ ...options, webPreferences: { ...options.webPreferences, session } });
  window.once("ready-to-show", () => window.show());
  await window.loadURL(`${appOrigin}/`);
  return window;
}
