// An installed browser of the Chromium family: the window of `npm start` where there is no Electron, and the
// browser of the end-to-end tests.
import { existsSync } from "node:fs";
import path from "node:path";

const linuxNames = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "microsoft-edge",
  "microsoft-edge-stable",
];
const macApps = ["Google Chrome", "Chromium", "Microsoft Edge"];
const windowsPlaces = ["Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"];

/** The path of its program; null where there is none. MEDITRON_CHROMIUM names another. */
export function findChromium() {
  const named = process.env.MEDITRON_CHROMIUM;
  if (named) return existsSync(named) ? named : null;
  return places().find((place) => existsSync(place)) ?? null;
}

function places() {
  if (process.platform === "win32") {
    const roots = ["PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"].map(
      (name) => process.env[name] ?? "",
    );
    return roots.filter(Boolean).flatMap((folder) => windowsPlaces.map((place) => path.join(folder, place)));
  }
  if (process.platform === "darwin") {
    return macApps.map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`);
  }
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/bin", "/snap/bin"].filter(Boolean);
  return linuxNames.flatMap((name) => folders.map((folder) => path.join(folder, name)));
}
