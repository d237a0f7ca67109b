import { parseArgs } from "node:util";
import { createClient, type Client } from "../../core/client.ts";
import { appError, errorRecord, errorTable } from "../../core/errors.ts";
import { type App, createApp } from "../app.ts";
import { forkSpawn, type Spawn } from "../children.ts";
import { createDirectClient } from "../direct-client.ts";
import { findFolders } from "../folders.ts";
import { headlessShell } from "../headless-shell.ts";
import { findOwner } from "../owner.ts";
import type { RequestHandler } from "../transports/fetch.ts";
import type { Command, Invocation, Options, Values } from "./command.ts";
import { commands } from "./commands.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { createOutput, type Output, type Streams } from "./output.ts";
import { printVersion } from "./version.ts";

export interface CliOptions {
  readonly streams?: Streams;
  /** Fires to cancel the command; by default at Ctrl-C. */
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Electron starts its children in its own way. */
  readonly spawn?: Spawn;
}

const commonOptions: Options = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  "data-folder": { type: "string" },
};

/** Runs one command and gives its exit code (core/errors.ts). */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<number> {
  const streams = options.streams ?? { stdout: process.stdout, stderr: process.stderr };
  const output = createOutput(streams, args.includes("--json"));
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  if (!options.signal) {
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  }
  const running = new Set<App>();
  try {
    await runCommand({ args, output, running, signal: options.signal ?? interrupt.signal, options });
    return 0;
  } catch (thrown) {
    const error = errorRecord(thrown);
    output.failure(error);
    return errorTable[error.code].exit;
  } finally {
    for (const app of running) await app.stop();
    process.removeListener("SIGINT", stop);
    process.removeListener("SIGTERM", stop);
  }
}

interface Run {
  readonly args: readonly string[];
  readonly output: Output;
  readonly running: Set<App>;
  readonly signal: AbortSignal;
  readonly options: CliOptions;
}

async function runCommand({ args, output, running, signal, options }: Run): Promise<void> {
  const found = findCommand(args);
  const { positionals, values } = parse(found ? found.rest : args, found?.command ?? null);
  const asksVersion = values["version"] === true;
  if (values["help"] || (!found && !asksVersion && positionals.length === 0)) {
    return output.text(found ? commandHelp(found.command) : generalHelp());
  }
  if (!found && !asksVersion) {
    throw appError("usage", `There is no command "${positionals[0]}". See: meditron --help`);
  }

  const dataFolder = values["data-folder"];
  const folders = findFolders({
    dataFolder: typeof dataFolder === "string" ? dataFolder : null,
    env: options.env ?? process.env,
  });
  const make = (forOthers?: (handle: RequestHandler) => RequestHandler) => {
    const app = createApp({
      folders,
      shell: headlessShell,
      spawn: options.spawn ?? forkSpawn,
      ...(forOthers ? { forOthers } : {}),
    });
    running.add(app);
    return app;
  };
  let app: App | null = null;
  const ownApp = () => (app ??= make());
  const own = (): Client => createDirectClient(ownApp().router);
  if (asksVersion || !found) return printVersion(own(), output);
  const invocation: Invocation = {
    positionals,
    values,
    output,
    signal,
    folders,
    app: ownApp,
    serving: make,
    own,
    async owner() {
      const door = await findOwner(folders.data);
      return door ? createClient(door) : own();
    },
  };
  await found.command.run(invocation);
}

function findCommand(args: readonly string[]): { command: Command; rest: string[] } | null {
  // Options may stand before the command; the words that name it are the first that are no options.
  const places = args.flatMap((word, index) =>
    word.startsWith("-") || args[index - 1] === "--data-folder" ? [] : [index],
  );
  for (const command of commands) {
    const name = command.name.split(" ");
    if (!name.every((part, index) => args[places[index] ?? -1] === part)) continue;
    const taken = places.slice(0, name.length);
    return { command, rest: args.filter((_, index) => !taken.includes(index)) };
  }
  return null;
}

function parse(args: readonly string[], command: Command | null): { positionals: string[]; values: Values } {
  try {
    const options = { ...commonOptions, ...command?.options };
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: command !== null });
    return { positionals: parsed.positionals, values: parsed.values as Values };
  } catch (thrown) {
    // parseArgs says which option is unknown or lacks its value; nothing of it is private.
    throw appError("usage", (thrown as Error).message.split(". ")[0]! + ".", thrown);
  }
}
