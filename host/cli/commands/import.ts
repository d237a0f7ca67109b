import path from "node:path";
import { existsSync } from "node:fs";
import type { ImportEvent } from "../../../core/archive-events.ts";
import type { Client } from "../../../core/client.ts";
import { appError } from "../../../core/errors.ts";
import type { Variant } from "../../../core/variant.ts";
import type { Command, Invocation } from "../command.ts";
import type { Output } from "../output.ts";
import { openArchive } from "../open-archive.ts";

export const importCommand: Command = {
  name: "import",
  usage: "PATH… | --resume [--passphrase-stdin]",
  summary: "Import DICOM files, folders (with all below them), DICOMDIRs and ZIP files into the archive.",
  options: { "passphrase-stdin": { type: "boolean" }, resume: { type: "boolean" } },
  help: {
    "--resume": "go on with the imports that were cut short",
    "--passphrase-stdin": "read the archive's passphrase from standard input",
  },
  async run(invocation) {
    const { positionals, signal, output, values } = invocation;
    if (values["resume"]) return resumeImports(invocation);
    if (positionals.length === 0) throw appError("usage", "Which files? meditron import PATH…");
    const paths = positionals.map((name) => path.resolve(name));
    const missing = positionals.find((_, index) => !existsSync(paths[index]!));
    if (missing !== undefined) throw appError("file-not-found", `There is no file or folder "${missing}".`);
    const client = await openArchive(invocation);
    await reportImport(client.stream("imports.paths", { paths }, signal), output);
  },
};

async function resumeImports(invocation: Invocation): Promise<void> {
  const { signal, output } = invocation;
  const client = await openArchive(invocation);
  const unfinished = await client.call("imports.unfinished", {}, signal);
  if (unfinished.length === 0) {
    return output.result({ resumed: [] }, "No import was cut short.");
  }
  for (const { id } of unfinished)
    await reportImport(client.stream("imports.resume", { id }, signal), output);
}

/** Prints the progress of an import and its end. */
export async function reportImport(events: ReturnType<Client["stream"]>, output: Output): Promise<void> {
  const failures: Noted[] = [];
  const partial: Noted[] = [];
  const warnings: Noted[] = [];
  const conflicts: { name: string; variant: Variant }[] = [];
  for await (const event of events as AsyncGenerator<ImportEvent>) {
    if (event.type === "progress") {
      output.progress(event.counted ? `${event.done} of ${event.found} files` : `${event.found} files found`);
    } else if (event.type === "failed") {
      failures.push({ name: event.name, ...event.error });
      output.note(`${event.name}: ${event.error.message} (${event.error.code})`);
    } else if (event.type === "partial") {
      partial.push({ name: event.name, ...event.error });
      output.note(`${event.name}: ${event.error.message} It was taken all the same. (${event.error.code})`);
    } else if (event.type === "warning") {
      warnings.push({ name: event.name, ...event.error });
      output.note(`${event.name}: ${event.error.message} (${event.error.code})`);
    } else if (event.type === "conflict") {
      conflicts.push({ name: event.name, variant: event.variant });
      output.note(`${event.name}: the archive holds another file of this image. Both are kept.`);
    } else {
      const { type: _type, conflicts: count, ...counts } = event;
      const report = { ...counts, conflicts: count, failures, partial, warnings, variants: conflicts };
      output.result(report, sentence(event));
    }
  }
}

interface Noted {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

function sentence(done: Extract<ImportEvent, { type: "done" }>): string {
  const parts = [
    `${done.imported} imported`,
    `${done.duplicates} already there`,
    ...(done.conflicts > 0
      ? [`${done.conflicts} with a known UID but other content, kept beside the first`]
      : []),
    `${done.ignored} ignored`,
    `${done.failed} failed`,
  ];
  return `${parts.join(", ")}. ${done.studies.length} studies.`;
}
