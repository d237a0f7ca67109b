import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Client } from "../../../core/client.ts";
import { appError } from "../../../core/errors.ts";
import type { Answer, AnswerEvent, QuestionInput } from "../../../core/question.ts";
import type { SentenceState } from "../../../core/evidence.ts";
import type { Command, Invocation, Values } from "../command.ts";
import { openArchive } from "../open-archive.ts";
import type { Output } from "../output.ts";
import { publicAnswer } from "../public-answer.ts";
import {
  cropOption,
  listOption,
  numberOption,
  requiredOption,
  textOption,
  windowOption,
  wholeOption,
} from "../values.ts";

export const askCommand: Command = {
  name: "ask",
  usage: 'PATH_OR_UID --question "…" [OPTIONS]',
  summary: "Ask about an image or a series, and test what each sentence of the answer rests on.",
  options: {
    question: { type: "string", short: "q" },
    choices: { type: "string" },
    schema: { type: "string" },
    pack: { type: "string" },
    frame: { type: "string" },
    window: { type: "string" },
    crop: { type: "string" },
    modality: { type: "string" },
    seed: { type: "string" },
    temperature: { type: "string" },
    "max-tokens": { type: "string" },
    ground: { type: "boolean" },
    "no-ground": { type: "boolean" },
    "ground-budget": { type: "string" },
    "passphrase-stdin": { type: "boolean" },
  },
  help: {
    PATH_OR_UID:
      "a DICOM file, a folder of one series, a PNG or JPEG, or the UID of something in the archive",
    "--question TEXT": "the question",
    "--choices A,B": "the allowed answers",
    "--schema FILE": "a JSON Schema: the answer is JSON of it, as text and as answer.structured",
    "--pack NAME": "another model pack",
    "--frame N": "one frame, from 1; else as many as the pack takes, spaced evenly",
    "--window C,W": "window centre and width instead of the file's own",
    "--crop X,Y,W,H": "only this part, in pixels of the stored frame",
    "--modality M": "for files that do not say it (PNG, JPEG): CR, CT, US, …",
    "--seed N": "for sampling; the same seed gives the same answer",
    "--temperature T": "0 (the default) always takes the likeliest word",
    "--max-tokens N": "longest answer",
    "--ground, --no-ground": "test the evidence (the default), or do not",
    "--ground-budget SECONDS": "above this only reliance is tested (default 30)",
  },
  async run(invocation) {
    const { positionals, values, output, signal } = invocation;
    const target = positionals[0];
    if (target === undefined || positionals.length > 1) {
      throw appError("usage", 'One image or series: meditron ask PATH_OR_UID --question "…"');
    }
    const options = { ...questionOptions(values), schema: await schemaOption(values) };
    const isPath = existsSync(target);
    if (!isPath && !/^[0-9][0-9.]{0,63}$/.test(target)) {
      throw appError("file-not-found", `There is no file or folder "${target}".`);
    }
    const client = isPath ? invocation.own() : await openArchive(invocation);
    const question = await withViews(client, { invocation, options, target, isPath });
    const answer = await readAnswer(client.stream("answers.ask", question, signal), output);
    output.result(publicAnswer(answer), afterText(answer));
  },
};

type QuestionOptions = Omit<QuestionInput, "views">;

function questionOptions(values: Values): QuestionOptions {
  if (values["ground"] && values["no-ground"]) throw appError("usage", "Either --ground or --no-ground.");
  const [seed, maxTokens] = [wholeOption(values, "seed"), wholeOption(values, "max-tokens")];
  const [budget, temperature] = [numberOption(values, "ground-budget"), numberOption(values, "temperature")];
  return {
    question: requiredOption(values, "question"),
    choices: listOption(values, "choices"),
    pack: textOption(values, "pack"),
    modality: textOption(values, "modality"),
    ground: values["no-ground"] !== true,
    ...(seed === null ? {} : { seed }),
    ...(maxTokens === null ? {} : { maxTokens }),
    ...(temperature === null ? {} : { temperature }),
    ...(budget === null ? {} : { groundBudgetSeconds: budget }),
  };
}

/** @throws usage, bad-input, file-not-found */
async function schemaOption(values: Values): Promise<Record<string, unknown> | null> {
  const file = textOption(values, "schema");
  if (file === null) return null;
  if (!existsSync(file)) throw appError("file-not-found", `There is no file "${file}".`);
  let schema: unknown;
  try {
    schema = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw appError("bad-input", `"${file}" is not JSON.`, cause);
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw appError("bad-input", `"${file}" is no schema: it must be a JSON object.`);
  }
  return schema as Record<string, unknown>;
}

async function withViews(
  client: Client,
  request: { invocation: Invocation; options: QuestionOptions; target: string; isPath: boolean },
): Promise<QuestionInput> {
  const { invocation, options, target, isPath } = request;
  const { values, signal } = invocation;
  const [voi, crop, frame] = [windowOption(values), cropOption(values), wholeOption(values, "frame")];
  if (frame === 0) throw appError("usage", "Frames are counted from 1.");
  const choice = await client.call(
    "answers.views",
    { target: isPath ? { path: path.resolve(target) } : { uid: target }, frame, pack: options.pack ?? null },
    signal,
  );
  return {
    ...options,
    views: choice.views.map((view) => ({ ...view, voi, crop })),
    unseenSlices: choice.slices - choice.views.length,
  };
}

async function readAnswer(events: AsyncGenerator<AnswerEvent, void, void>, output: Output): Promise<Answer> {
  let answer: Answer | null = null;
  for await (const event of events) {
    switch (event.type) {
      case "progress":
        output.progress(progressText(event));
        break;
      case "accepted":
        for (const warning of event.warnings) output.note(`Warning: ${warning}`);
        break;
      case "token":
        output.text(event.text);
        break;
      case "done":
        ({ answer } = event);
        break;
      case "sentence":
      case "evidence":
        break;
    }
  }
  if (!answer) throw appError("model-failed", "The model ended without an answer.");
  return answer;
}

function progressText({ stage, fraction, remaining_ms }: Extract<AnswerEvent, { type: "progress" }>): string {
  const share = fraction === null ? "" : ` ${Math.round(fraction * 100)} %`;
  const rest = remaining_ms === null ? "" : `, about ${Math.ceil(remaining_ms / 1000)} s left`;
  return `${stageWords[stage]}${share}${rest}`;
}

const stageWords = {
  load: "Loading",
  image: "Reading the image",
  prefill: "Reading the question",
  decode: "Answering",
  reliance: "Testing whether the answer rests on the image",
  map: "Testing which part of the image it rests on",
  region: "Testing the region",
} as const;

const stateWords: Readonly<Record<SentenceState, string>> = {
  supported: "Rests on this region (tested)",
  diffuse: "Rests on the image as a whole",
  absent: "Absence: no region",
  unsupported: "Not explained by the image",
  uncalibrated: "Not tested: this pack has no calibration",
  untested: "Not tested",
};

/** What follows the streamed text where no JSON is wanted. */
function afterText({ answer, warnings }: Answer): string {
  if (answer.stop === "refused") return answer.text;
  const lines = answer.sentences.map(({ text, state, regions }) => {
    const boxes = regions.map(({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(","));
    return `  ${text}\n    ${stateWords[state]}${boxes.length > 0 ? `: ${boxes.join("; ")}` : ""}`;
  });
  const notes = warnings.map((warning) => `  ${warning}`);
  return [
    "",
    ...lines,
    "",
    "Shows what the model used, not whether it is right. Research use only.",
    ...notes,
  ].join("\n");
}
