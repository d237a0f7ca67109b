import path from "node:path";
import { existsSync } from "node:fs";
import type { ImportEvent } from "../../../core/archive-events.ts";
import type { Client } from "../../../core/client.ts";
import { appError } from "../../../core/errors.ts";
import type { Command } from "../command.ts";
import type { Output } from "../output.ts";
import { openArchive } from "../open-archive.ts";

export const importCommand: Command = {
  name: "import",
  usage: "PATH… [--passphrase-stdin]",
  summary: "Import DICOM files, folders (with all below them) and ZIP files into the archive.",
  options: { "passphrase-stdin": { type: "boolean" } },
  help: {
    "--passphrase-stdin": "read the archive's passphrase from standard input",
  },
  async run(invocation) {
    const { positionals, signal, output } = invocation;
    if (positionals.length === 0) throw appError("usage", "Which files? meditron import PATH…");
    const paths = positionals.map((name) => path.resolve(name));
    const missing = positionals.find((_, index) => !existsSync(paths[index]!));
    if (missing !== undefined) throw appError("file-not-found", `There is no file or folder "${missing}".`);
    const client = await openArchive(invocation);
    await reportImport(client.stream("imports.paths", { paths }, signal), output);
  },
};

/** Prints the progress of an import and its end. */
export async function reportImport(events: ReturnType<Client["stream"]>, output: Output): Promise<void> {
  const failures: { name: string; code: string; message: string }[] = [];
  for await (const event of events as AsyncGenerator<ImportEvent>) {
    if (event.type === "progress") {
      output.progress(event.counted ? `${event.done} of ${event.found} files` : `${event.found} files found`);
    } else if (event.type === "failed") {
      failures.push({ name: event.name, ...event.error });
      output.note(`${event.name}: ${event.error.message} (${event.error.code})`);
    } else {
      const { type: _type, ...counts } = event;
      output.result({ ...counts, failures }, sentence(event));
    }
  }
}

function sentence(done: Extract<ImportEvent, { type: "done" }>): string {
  const parts = [
    `${done.imported} imported`,
    `${done.duplicates} already there`,
    ...(done.conflicts > 0 ? [`${done.conflicts} with a known UID but other content, not imported`] : []),
    `${done.ignored} ignored`,
    `${done.failed} failed`,
  ];
  return `${parts.join(", ")}. ${done.studies.length} studies.`;
}
