import { writeFile } from "node:fs/promises";
import { studyUidSchema } from "../../../core/study.ts";
import * as v from "valibot";
import { appError } from "../../../core/errors.ts";
import type { Command } from "../command.ts";
import { openArchive } from "../open-archive.ts";
import { publicAnswer } from "../public-answer.ts";
import { textOption } from "../values.ts";

export const exportCommand: Command = {
  name: "export",
  usage: "STUDY_UID [--output FILE]",
  summary: "Write the saved answers of a study as JSON.",
  options: { output: { type: "string" }, "passphrase-stdin": { type: "boolean" } },
  help: { "--output FILE": "write there instead of to standard output" },
  async run(invocation) {
    const { positionals, values, output, signal } = invocation;
    const uid = v.safeParse(studyUidSchema, positionals[0]);
    if (!uid.success) throw appError("usage", "Which study? meditron export STUDY_UID");
    const client = await openArchive(invocation);
    const records = await client.call("answers.list", { studyInstanceUid: uid.output }, signal);
    const answers = records.map(({ id, askedAt, answer }) => ({ id, askedAt, ...publicAnswer(answer) }));
    const document = { study: uid.output, researchUse: "AI, research use", answers };
    const file = textOption(values, "output");
    if (file === null) return output.result(document, JSON.stringify(document, null, 2));
    await writeFile(file, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 }).catch(
      (cause: unknown) => {
        throw appError("read-only", `"${file}" cannot be written.`, cause);
      },
    );
    output.result({ file, answers: answers.length }, `${answers.length} answers written to ${file}`);
  },
};
