import { existsSync } from "node:fs";
import path from "node:path";
import type { EvaluationKind } from "../../../core/evaluation.ts";
import { appError } from "../../../core/errors.ts";
import type { Command, Values } from "../command.ts";
import { listOption, requiredOption, textOption, wholeOption } from "../values.ts";

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
    usage: "--data FOLDER [--pack NAME] [--limit N] [--shard N/M] [--state FILE,…]",
    summary: summaries[kind],
    options: {
      data: { type: "string" },
      pack: { type: "string" },
      limit: { type: "string" },
      shard: { type: "string" },
      state: { type: "string" },
      write: { type: "boolean" },
    },
    help: {
      "--data FOLDER": "folder with the image sets fracatlas, busi and nih-cxr14",
      "--pack NAME": "the pack to measure (default: the embedded one)",
      "--limit N": "fewer cases, for a quick look",
      "--shard N/M":
        "only part N of M, kept in --state: parts run beside each other, a last run reads them all",
      "--state FILE,…":
        "keeps finished cases in the first file and takes over those of all, so that a stopped run goes on",
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
        state: listOption(values, "state") ?? [],
        shard: shardOption(values),
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

/** --shard N/M */
function shardOption(values: Values): { number: number; count: number } | null {
  const text = textOption(values, "shard");
  if (text === null) return null;
  const [number, count] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).slice(1).map(Number);
  if (number === undefined || count === undefined || number < 1 || number > count)
    throw appError("usage", "--shard takes a part and how many there are: --shard 1/2");
  return { number, count };
}

function remaining(ms: number | null): string {
  return ms === null ? "" : `, about ${Math.ceil(ms / 60_000)} min left`;
}
