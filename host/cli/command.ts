import type { ParseArgsConfig } from "node:util";
import type { Client } from "../../core/client.ts";
import type { App } from "../app.ts";
import type { Folders } from "../folders.ts";
import type { RequestHandler } from "../transports/fetch.ts";
import type { Output } from "./output.ts";

export type Options = NonNullable<ParseArgsConfig["options"]>;
export type Values = Readonly<Record<string, string | boolean | undefined>>;

/** One command of the CLI. A failure is thrown; its code decides the exit code (core/errors.ts). */
export interface Command {
  /** The words that call it, e.g. "models list". */
  readonly name: string;
  /** What follows the name, for --help. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Options;
  /** One line for each option, for --help. */
  readonly help: Readonly<Record<string, string>>;
  run(invocation: Invocation): Promise<void>;
}

export interface Invocation {
  readonly positionals: readonly string[];
  readonly values: Values;
  readonly output: Output;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly folders: Folders;
  /** An app of this command's own: for files, packs and serving. */
  app(): App;
  /** Like `app`, with its own answers to other programs of this user (see host/owner.ts). */
  serving(forOthers: (handle: RequestHandler) => RequestHandler): App;
  /** The same app as a client. */
  own(): Client;
  /** The client of whoever owns the data folder: the app that is open on it, else this command's own. */
  owner(): Promise<Client>;
}
