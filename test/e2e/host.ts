import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
/** MEDITRON_E2E_ROOT names another built copy of the app, for example an installed one. */
export const cli = path.join(process.env["MEDITRON_E2E_ROOT"] ?? root, "dist", "host", "cli.js");

/** The loopback host as a user starts it, from dist/, with data of its own. */
export interface Host {
  /** A one-time address. */
  readonly url: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** The host's own process; its children are the archive and the models. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Data, keys and settings of one test, removed with it. */
export async function makeFolder(): Promise<{ folder: string; env: NodeJS.ProcessEnv }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-e2e-"));
  const env = {
    ...process.env,
    MEDITRON_DATA: path.join(folder, "data"),
    MEDITRON_CONFIG: path.join(folder, "config"),
    // A file that is not there is no policy; a test may write it.
    MEDITRON_POLICY: path.join(folder, "policy.json"),
  };
  return { folder, env };
}

export async function startHost(given?: { folder: string; env: NodeJS.ProcessEnv }): Promise<Host> {
  const { folder, env } = given ?? (await makeFolder());
  const child = spawn(process.execPath, [cli, "serve", "--json", "--port", "0"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const complaints: string[] = [];
  child.stderr.on("data", (text: Buffer) => complaints.push(text.toString()));
  const line = await Promise.race([
    once(createInterface({ input: child.stdout }), "line").then(([text]) => String(text)),
    once(child, "exit").then(([code]) => {
      throw new Error(`The host ended with ${code}. ${complaints.join("")}`);
    }),
  ]);
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  return {
    url,
    folder,
    env,
    pid,
    async stop() {
      await stop(child);
      if (!given) await rm(folder, { recursive: true, force: true });
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  // A host that does not end by itself must not hold up the tests behind it.
  const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
  void gone.finally(() => clearTimeout(late));
  await gone;
}

/** Runs the CLI to its end and gives back what it printed. */
export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [cli, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let complaints = "";
  child.stdout.on("data", (text: Buffer) => (out += text.toString()));
  child.stderr.on("data", (text: Buffer) => (complaints += text.toString()));
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`meditron ${args.join(" ")} ended with ${code}: ${complaints}`);
  return out;
}
