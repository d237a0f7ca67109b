import path from "node:path";
import { existsSync } from "node:fs";
import { appError } from "../../../core/errors.ts";
import type { Command } from "../command.ts";

export const dicomCheckCommand: Command = {
  name: "dicom check",
  usage: "PATH…",
  summary: "Decode every frame of DICOM files and say what was found; nothing is imported.",
  options: {},
  help: {},
  async run({ positionals, output, signal, own }) {
    if (positionals.length === 0) throw appError("usage", "Which files? meditron dicom check PATH…");
    const missing = positionals.find((name) => !existsSync(name));
    if (missing !== undefined) throw appError("file-not-found", `There is no file or folder "${missing}".`);
    const paths = positionals.map((name) => path.resolve(name));
    const counts = { ok: 0, partial: 0, "no-pixels": 0, error: 0 };
    for await (const check of own().stream("files.check", { paths }, signal)) {
      counts[check.status] += 1;
      const facts = `${check.framesDecoded} of ${check.frames} frames  ${check.photometric ?? ""}`;
      const why = check.error ? `${check.error.code}: ${check.error.message}` : facts;
      output.result(check, `${check.status.padEnd(9)} ${check.file}  ${why}`);
    }
    output.note(
      Object.entries(counts)
        .map(([status, count]) => `${count} ${status}`)
        .join(", "),
    );
  },
};
