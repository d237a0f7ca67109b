import { existsSync } from "node:fs";
import path from "node:path";
import { root } from "./host.ts";

export const noElectron = "skipped: no Electron runtime";

/** The Electron program, from a folder that was given or from the installed package; null where there is none. */
export function electronRuntime(): string | null {
  const name =
    process.platform === "win32"
      ? "electron.exe"
      : process.platform === "darwin"
        ? "Electron.app/Contents/MacOS/Electron"
        : "electron";
  const folders = [
    process.env["ELECTRON_OVERRIDE_DIST_PATH"],
    path.join(root, "node_modules", "electron", "dist"),
  ];
  for (const folder of folders) {
    if (folder && existsSync(path.join(folder, name))) return path.join(folder, name);
  }
  return null;
}
