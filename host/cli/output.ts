import type { ErrorRecord } from "../../core/errors.ts";

/**
 * What a command prints. With --json, stdout carries one object (or one a line where results stream) and nothing
 * else; progress and everything meant for eyes goes to stderr.
 */
export interface Output {
  readonly json: boolean;
  /** The result, or one line of it. */
  result(value: object, text: string): void;
  /** For eyes only: on stdout where the text is the result, on stderr with --json. */
  text(text: string): void;
  /** A status line on stderr that the next one replaces. */
  progress(text: string): void;
  note(text: string): void;
  failure(error: ErrorRecord): void;
}

export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean };
}

export function createOutput(streams: Streams, json: boolean): Output {
  const { stdout, stderr } = streams;
  let shown = "";
  /** Streamed words end in the middle of a line; what comes next starts its own. */
  let midLine = false;

  function clear(): void {
    if (shown !== "" && stderr.isTTY) stderr.write(`\r${" ".repeat(shown.length)}\r`);
    shown = "";
    if (midLine) (json ? stderr : stdout).write("\n");
    midLine = false;
  }

  return {
    json,
    result(value, text) {
      clear();
      stdout.write(json ? `${JSON.stringify(value)}\n` : text === "" ? "" : `${text}\n`);
    },
    text(text) {
      if (!midLine) clear();
      (json ? stderr : stdout).write(text);
      midLine = !text.endsWith("\n");
    },
    progress(text) {
      if (text === shown) return;
      clear();
      shown = text;
      stderr.write(stderr.isTTY ? text : `${text}\n`);
    },
    note(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    failure({ code, message }) {
      clear();
      if (json) stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
      stderr.write(`meditron: ${message} (${code})\n`);
    },
  };
}
