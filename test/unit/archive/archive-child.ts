import { type ChildProcess, fork, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { type ArchiveApi, archiveKinds } from "../../../archive/api.ts";
import type { Port } from "../../../core/port.ts";
import { connectApi } from "../../../core/rpc.ts";

/** The built archive process, as the host runs it. */
export interface ArchiveChild {
  readonly api: ArchiveApi;
  readonly pid: number;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** As when the app ends: the channel closes, and the process ends by itself. */
  leave(): Promise<void>;
}

/** Tests and benches run in the root of the repository. */
const script = path.resolve("dist", "archive", "process.js");

export function startArchive(): ArchiveChild {
  return connect(
    fork(builtScript(), [], { serialization: "advanced", stdio: ["ignore", "ignore", "inherit", "ipc"] }),
  );
}

/**
 * In a mount namespace of its own, with a memory disk (mount options: size=8m, ro) at `disk`; null where the system does
 * not allow it.
 */
export function startArchiveOnDisk(disk: string, options: string): Promise<ArchiveChild | null> {
  return startMounted(`mount -t tmpfs -o ${options} small "${disk}"`);
}

/** In a mount namespace of its own, in which `folder` cannot be written to; null as above. */
export function startArchiveReadOnly(folder: string): Promise<ArchiveChild | null> {
  return startMounted(`mount --bind "${folder}" "${folder}" && mount -o remount,bind,ro "${folder}"`);
}

async function startMounted(mount: string): Promise<ArchiveChild | null> {
  if (!(await succeeds("unshare", ["-rm", "sh", "-c", mount]))) return null;
  const child = spawn(
    "unshare",
    ["-rm", "sh", "-c", `${mount} && exec "$0" "$1"`, process.execPath, builtScript()],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    },
  );
  return connect(child);
}

function connect(child: ChildProcess): ArchiveChild {
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port: Port = {
    post: (message) => void (child.connected && child.send(message as object)),
    onMessage: (listener) => child.on("message", listener),
    onExit: (listener) => child.on("exit", () => listener("ended")),
    close: () => child.disconnect(),
  };
  return {
    api: connectApi<ArchiveApi>(port, archiveKinds),
    pid: child.pid!,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    async leave() {
      child.disconnect();
      await gone;
    },
  };
}

function succeeds(command: string, parameters: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, parameters, { stdio: "ignore" });
    child.on("error", () => resolve(false));
    child.on("exit", (code) => resolve(code === 0));
  });
}

function builtScript(): string {
  if (!existsSync(script)) throw new Error("The archive process is not built: run `npm run build` first.");
  return script;
}
