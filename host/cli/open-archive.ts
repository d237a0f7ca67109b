import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Client } from "../../core/client.ts";
import { appError } from "../../core/errors.ts";
import type { Invocation } from "./command.ts";

/**
 * The client of an archive that is open. A first use makes the archive with a key file, and shows the recovery key
 * once on stderr; a passphrase is asked for on the terminal or read from standard input, never from an argument.
 */
export async function openArchive(invocation: Invocation): Promise<Client> {
  const { output, signal } = invocation;
  const client = await invocation.owner();
  const status = await client.call("archive.status", {}, signal);
  switch (status.state) {
    case "ready":
      return client;
    case "new": {
      const { recoveryKey } = await client.call("archive.create", { protection: "key-file" }, signal);
      const { keyLocation } = await client.call("app.info", {}, signal);
      output.note(`A new archive was made. Its key lies in ${keyLocation}, readable by you alone.`);
      output.note(`Recovery key, shown only now; keep it somewhere safe: ${recoveryKey}`);
      return client;
    }
    case "locked": {
      if (status.protection !== "passphrase") throw appError("archive-locked", status.reason);
      const passphrase = await readPassphrase(invocation);
      await client.call("archive.unlock", { passphrase }, signal);
      return client;
    }
    case "failed":
      throw appError(status.code as "internal", status.message);
  }
}

function readPassphrase(invocation: Invocation): Promise<string> {
  const fromPipe = invocation.values["passphrase-stdin"] === true;
  if (!fromPipe && !process.stdin.isTTY) {
    throw appError("archive-locked", "The archive has a passphrase. Give it with --passphrase-stdin.");
  }
  return readSecret(invocation, fromPipe ? "" : "Passphrase: ");
}

/** One line that is not shown: asked for on the terminal with a question, from standard input without one. */
export async function readSecret({ signal }: Invocation, question: string): Promise<string> {
  const fromPipe = question === "";
  // The terminal echoes through this stream: it shows the question and nothing that is typed.
  let silent = false;
  const echo = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!silent) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output: echo, terminal: !fromPipe });
  try {
    const answer = lines.question(question, { signal });
    silent = true;
    return await answer;
  } finally {
    lines.close();
    if (!fromPipe) process.stderr.write("\n");
  }
}
