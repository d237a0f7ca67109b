import { existsSync } from "node:fs";
import path from "node:path";
import type { EvaluationKind } from "../../../core/evaluation.ts";
import { appError } from "../../../core/errors.ts";
import type { Command } from "../command.ts";
import { requiredOption, textOption, wholeOption } from "../values.ts";

const summaries: Readonly<Record<EvaluationKind, string>> = {
  look: "Does the model look? Accuracy with the true image against another image.",
  calibrate: "Measure reliance and the null of the region test; --write puts them into the pack.",
  grounding: "How often regions hit the finding, with true and with wrong images.",
  timing: "How long grounding takes on this machine.",
};

/** `meditron eval KIND`: docs/evaluation.md says what each measures. */
export const evalCommands: readonly Command[] = (Object.keys(summaries) as EvaluationKind[]).map(evalCommand);

function evalCommand(kind: EvaluationKind): Command {
  return {
    name: `eval ${kind}`,
    usage: "--data FOLDER [--pack NAME] [--limit N] [--state FILE]",
    summary: summaries[kind],
    options: {
      data: { type: "string" },
      pack: { type: "string" },
      limit: { type: "string" },
      state: { type: "string" },
      write: { type: "boolean" },
    },
    help: {
      "--data FOLDER": "folder with the image sets fracatlas, busi and nih-cxr14",
      "--pack NAME": "the pack to measure (default: the embedded one)",
      "--limit N": "fewer cases, for a quick look",
      "--state FILE": "keeps finished cases, so that a stopped run goes on",
      "--write": "write what was measured into the pack's pack.json",
    },
    async run({ values, output, signal, own }) {
      const data = path.resolve(requiredOption(values, "data"));
      if (!existsSync(data)) throw appError("file-not-found", `There is no folder "${data}".`);
      const limit = wholeOption(values, "limit");
      const request = {
        kind,
        data,
        pack: textOption(values, "pack"),
        limit: limit === 0 ? null : limit,
        state: textOption(values, "state"),
        write: values["write"] === true,
      };
      for await (const event of own().stream("evaluations.run", request, signal)) {
        if (event.type === "done") output.result(event.report, JSON.stringify(event.report, null, 2));
        else
          output.progress(
            `${Math.round(event.fraction * 100)} % ${event.text}${remaining(event.remaining_ms)}`,
          );
      }
    },
  };
}

function remaining(ms: number | null): string {
  return ms === null ? "" : `, about ${Math.ceil(ms / 60_000)} min left`;
}
