import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Where the app and its data lie. All paths are absolute. */
export interface Folders {
  /** The folder of package.json: a checkout, or the installed program's resources. */
  readonly root: string;
  readonly data: string;
  readonly logs: string;
  /** Outside the data folder, so that a copy of the data folder does not carry its own key. */
  readonly keyFile: string;
  /** The first is shipped with the app; sites add packs to the second. */
  readonly packs: readonly string[];
  /** What can be made again: all of it may be deleted while the app is closed. */
  readonly cache: string;
}

/** Where the archive lies in the data folder, and in a backup of it: a backup is laid out as what it came from. */
export const archiveName = "archive";

const appName = "meditron-imaging-assistant";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * MEDITRON_DATA names another data folder, MEDITRON_CONFIG another folder for key files, MEDITRON_PACK_FOLDERS
 * further folders with packs (separated as PATH is), MEDITRON_CACHE another folder for what can be made again.
 */
export function findFolders(request: {
  dataFolder: string | null;
  env: Environment;
  /** Another copy of the program than the one that runs. */
  root?: string;
}): Folders {
  const { env, root = appRoot(import.meta.url) } = request;
  const data = path.resolve(request.dataFolder ?? env["MEDITRON_DATA"] ?? defaultDataFolder(env));
  const config = path.resolve(env["MEDITRON_CONFIG"] ?? defaultConfigFolder(env));
  const further = (env["MEDITRON_PACK_FOLDERS"] ?? "")
    .split(path.delimiter)
    .filter((folder) => folder !== "");
  return {
    root,
    data,
    logs: path.join(data, "logs"),
    keyFile: path.join(config, "archive.keys"),
    cache: path.resolve(env["MEDITRON_CACHE"] ?? path.join(data, "cache")),
    packs: [
      path.join(unpacked(root), "models", "packs"),
      path.join(data, "packs"),
      ...further.map((f) => path.resolve(f)),
    ],
  };
}

/** The nearest folder above a module of ours that holds our package.json; the same from source and from dist/. */
export function appRoot(moduleUrl: string): string {
  for (let folder = path.dirname(fileURLToPath(moduleUrl)); ; folder = path.dirname(folder)) {
    const file = path.join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === appName) {
      return folder;
    }
    if (folder === path.dirname(folder)) throw new Error(`No package.json of ${appName} above ${moduleUrl}`);
  }
}

export function appVersion(root: string): string {
  return (JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { version: string }).version;
}

/** The bundle of a child process. */
export function childScript(root: string, name: "archive" | "models"): string {
  return path.join(unpacked(root), "dist", name, "process.js");
}

/** What native code opens by path cannot lie inside the installed app's asar archive, but beside it. */
function unpacked(root: string): string {
  return root.replace(/app\.asar$/, "app.asar.unpacked");
}

function defaultDataFolder(env: Environment): string {
  if (process.platform === "win32") {
    return path.join(env["LOCALAPPDATA"] ?? path.join(os.homedir(), "AppData", "Local"), appName);
  }
  if (process.platform === "darwin")
    return path.join(os.homedir(), "Library", "Application Support", appName);
  return path.join(env["XDG_DATA_HOME"] ?? path.join(os.homedir(), ".local", "share"), appName);
}

function defaultConfigFolder(env: Environment): string {
  if (process.platform === "win32") {
    return path.join(env["APPDATA"] ?? path.join(os.homedir(), "AppData", "Roaming"), appName);
  }
  if (process.platform === "darwin") return path.join(os.homedir(), "Library", "Preferences", appName);
  return path.join(env["XDG_CONFIG_HOME"] ?? path.join(os.homedir(), ".config"), appName);
}
