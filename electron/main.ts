import { app, type BrowserWindow, dialog, protocol, session } from "electron";
import { errorTable, toAppError } from "../core/errors.ts";
import { createApp } from "../host/app.ts";
import { runCli } from "../host/cli/run-cli.ts";
import { findFolders } from "../host/folders.ts";
import { cliArguments } from "./cli-arguments.ts";
import { electronShell } from "./electron-shell.ts";
import { guardContents, guardSession, quietChromium } from "./guard.ts";
import { registerScheme, serveScheme } from "./protocol.ts";
import { utilitySpawn } from "./spawn.ts";
import { openWindow } from "./window.ts";

registerScheme(protocol);
quietChromium(app.commandLine);
// Every session and every page, also one that nobody here meant to make.
app.on("session-created", guardSession);
app.on("web-contents-created", (_event, contents) => guardContents(contents));
// No top-level await: Electron emits `ready` only after this module has been evaluated.
const cli = cliArguments(process.argv);
if (cli) {
  app.disableHardwareAcceleration();
  void run(async () => app.exit(await runCli(cli, { spawn: utilitySpawn })));
} else if (app.requestSingleInstanceLock()) {
  app.enableSandbox();
  void run(showApp);
} else app.quit();

async function run(work: () => Promise<void>): Promise<void> {
  try {
    await app.whenReady();
    await work();
  } catch (thrown) {
    const { message } = toAppError(thrown);
    if (!cli) dialog.showErrorBox("MEDITRON Imaging Assistant cannot start", message);
    app.exit(errorTable.internal.exit);
  }
}

async function showApp(): Promise<void> {
  const folders = findFolders({ dataFolder: null, env: process.env });
  const host = createApp({ folders, shell: electronShell, spawn: utilitySpawn });
  // In memory: nothing that a page loaded is ever written to disk by Chromium.
  const memory = session.fromPartition("meditron");
  serveScheme(memory.protocol, host.handle);

  let window: BrowserWindow | null = await openWindow(memory, folders.root);
  window.once("closed", () => (window = null));
  app.on("second-instance", () => {
    if (window?.isMinimized()) window.restore();
    window?.focus();
  });
  app.on("window-all-closed", () => app.quit());
  let stopped = false;
  app.on("will-quit", (event) => {
    if (stopped) return;
    // The archive ends its work in order before the process goes.
    event.preventDefault();
    stopped = true;
    void host.stop().finally(() => app.quit());
  });
}
