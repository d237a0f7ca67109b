import path from "node:path";
import type { BackupEvent, CheckEvent } from "../../../core/maintenance.ts";
import { appError } from "../../../core/errors.ts";
import type { Variant } from "../../../core/variant.ts";
import type { Command, Invocation } from "../command.ts";
import { openArchive, readSecret } from "../open-archive.ts";
import type { Output } from "../output.ts";

const passphraseOption = { "passphrase-stdin": { type: "boolean" } } as const;
const passphraseHelp = { "--passphrase-stdin": "read the archive's passphrase from standard input" };

export const archiveCheckCommand: Command = {
  name: "archive check",
  usage: "[--passphrase-stdin]",
  summary: "Read everything in the archive and compare it with what was written.",
  options: passphraseOption,
  help: passphraseHelp,
  async run(invocation) {
    const { output, signal } = invocation;
    const client = await openArchive(invocation);
    const { problems } = await report(client.stream("archive.check", {}, signal), output, checkText);
    if (problems > 0) {
      const what = problems === 1 ? "1 problem was" : `${problems} problems were`;
      throw appError("archive-damaged", `${what} found. What to do stands with each.`);
    }
  },
};

export const archiveBackupCommand: Command = {
  name: "archive backup",
  usage: "FOLDER [--passphrase-stdin]",
  summary: "Copy the archive, encrypted as it is, into a new or empty folder; the app may go on meanwhile.",
  options: passphraseOption,
  help: passphraseHelp,
  async run(invocation) {
    const { output, signal } = invocation;
    const folder = folderOf(invocation, "backup");
    const client = await openArchive(invocation);
    await report(
      client.stream("archive.backup", { folder }, signal),
      output,
      (done) =>
        `${done.studies} studies, ${done.images} images and their answers are backed up in ${folder}.`,
    );
  },
};

export const archiveRestoreCommand: Command = {
  name: "archive restore",
  usage: "FOLDER [--set-aside] [--salvage] [--passphrase-stdin | --recovery-key-stdin]",
  summary: "Make the archive out of a backup, in a data folder that has none yet.",
  options: {
    ...passphraseOption,
    "recovery-key-stdin": { type: "boolean" },
    salvage: { type: "boolean" },
    "set-aside": { type: "boolean" },
  },
  help: {
    "--set-aside": "move the archive that is there to set-aside/ in the data folder first",
    "--salvage": "take what is whole of a damaged backup",
    ...passphraseHelp,
    "--recovery-key-stdin":
      "read the recovery key from standard input, where passphrase or key file are lost",
  },
  async run(invocation) {
    const { output, signal, values } = invocation;
    const folder = folderOf(invocation, "restore");
    const byRecovery = values["recovery-key-stdin"] === true;
    const byPassphrase = values["passphrase-stdin"] === true;
    const secret = byRecovery || byPassphrase ? await readSecret(invocation, "") : null;
    const request = {
      folder,
      salvage: values["salvage"] === true,
      setAside: values["set-aside"] === true,
      ...(byRecovery ? { recoveryKey: secret } : { passphrase: secret }),
    };
    const client = await invocation.owner();
    await report(
      client.stream("archive.restore", request, signal),
      output,
      (done) => `${done.studies} studies with ${done.images} images were restored.`,
    );
  },
};

export const archiveConflictsCommand: Command = {
  name: "archive conflicts",
  usage: "[--passphrase-stdin]",
  summary: "List files that came with the identifier of another image and other content.",
  options: passphraseOption,
  help: passphraseHelp,
  async run(invocation) {
    const { output, signal } = invocation;
    const client = await openArchive(invocation);
    const conflicts: Variant[] = [];
    for (const { studyInstanceUid } of await client.call("studies.list", {}, signal)) {
      conflicts.push(...(await client.call("studies.variants", { studyInstanceUid }, signal)));
    }
    output.result({ conflicts }, conflicts.map(conflictText).join("\n") || "No conflicts.");
  },
};

export const archiveSetAsideCommand: Command = {
  name: "archive set-aside",
  usage: "[--delete NAME]",
  summary: "List the archives that a restored backup took the place of, or delete one of them.",
  options: { delete: { type: "string" } },
  help: { "--delete NAME": "delete this one with its keys, for good" },
  async run(invocation) {
    const { output, signal, values } = invocation;
    const client = await invocation.owner();
    const name = values["delete"];
    if (typeof name === "string") {
      await client.call("archive.deleteSetAside", { name }, signal);
      output.result({ deleted: name }, `${name} is deleted.`);
      return;
    }
    const archives = await client.call("archive.setAside", {}, signal);
    const lines = archives.map(({ name: folder, bytes }) => `${folder}  ${(bytes / 1e6).toFixed(1)} MB`);
    output.result({ archives }, lines.join("\n") || "No archive was set aside.");
  },
};

function folderOf({ positionals }: Invocation, name: string): string {
  const [folder] = positionals;
  if (folder === undefined) throw appError("usage", `Which folder? meditron archive ${name} FOLDER`);
  return path.resolve(folder);
}

type Done<Event> = Extract<Event, { type: "done" }>;

/** Prints the progress of a check, backup or restore, what it found, and its end. */
async function report<Event extends CheckEvent | BackupEvent>(
  events: AsyncGenerator<Event, void, void>,
  output: Output,
  text: (done: Done<Event>) => string,
): Promise<Done<Event>> {
  const problems = [];
  let last: Done<Event> | null = null;
  for await (const event of events) {
    if (event.type === "progress") output.progress(`${event.done} of ${event.total} files`);
    else if (event.type === "problem") {
      problems.push(event.problem);
      const { studyInstanceUid, message } = event.problem;
      output.note(studyInstanceUid === null ? message : `${studyInstanceUid}: ${message}`);
    } else last = event as Done<Event>;
  }
  if (!last) throw appError("stream-cut", "The app ended before this was done. Try again.");
  const { type: _type, problems: _count, ...counts } = last;
  output.result({ ...counts, problems }, text(last));
  return last;
}

function checkText({ studies, images, variants, answers }: Done<CheckEvent>): string {
  const kept = variants > 0 ? `, ${variants} kept beside others` : "";
  return `Read ${studies} studies: ${images} images${kept}, ${answers} answers.`;
}

function conflictText({ sopInstanceUid, importedAt, difference, id }: Variant): string {
  const fields = difference?.elements.map(({ tag, keyword }) => keyword || tag) ?? [];
  const more = difference && difference.moreElements > 0 ? ` and ${difference.moreElements} more` : "";
  const how =
    difference === null
      ? "not compared"
      : `pixels ${difference.pixels}; header: ${fields.length > 0 ? fields.join(", ") + more : "same"}`;
  return `${sopInstanceUid}  ${importedAt.slice(0, 10)}  ${how}  ${id}`;
}
