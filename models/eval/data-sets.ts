import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import type { HeaderFacts } from "../../core/frame.ts";
import type { Rectangle } from "../../core/view.ts";
import { type Claim, trainedClaims } from "./claims.ts";
import { readOwnData } from "./own-data.ts";

/**
 * The open image sets that the embedded pack is trained and measured on, and their split, as models/training/data.py
 * has it: the part is a function of the group alone. A folder with an `evaluation.json` is a set of its own
 * (own-data.ts).
 */
export type Part = "train" | "tune" | "report";

export interface DataImage {
  readonly set: string;
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  /** Unit of the split and of every bootstrap; the patient where the set knows him. */
  readonly group: string;
  readonly part: Part;
  readonly region: string;
  readonly facts: HeaderFacts;
  /** What the set says; an absent key is unknown. */
  readonly findings: Readonly<Record<string, boolean>>;
  /** How a finding is asked about and stated; findings without wording are not used. */
  readonly claims: Readonly<Record<string, Claim>>;
  /** Stored pixels. */
  readonly boxes: readonly { readonly finding: string; readonly box: Rectangle }[];
}

type OpenSet = "fracatlas" | "busi" | "nih-cxr14";

const splitSeed = 20261122;
const trainShare = 0.66;
const tuneShare = 0.12;

export function partOf(set: string, group: string): Part {
  const digest = createHash("sha256").update(`${splitSeed}|${set}|${group}`).digest();
  const at = Number(digest.readBigUInt64BE(0)) / 2 ** 64;
  if (at < trainShare) return "train";
  return at < trainShare + tuneShare ? "tune" : "report";
}

const boxSchema = v.object({
  name: v.string(),
  box: v.tuple([v.number(), v.number(), v.number(), v.number()]),
});
const taskSchema = v.object({
  file: v.pipe(v.string(), v.regex(/^[\w.-]+$/)),
  group: v.optional(v.string()),
  patient: v.optional(v.string()),
  labels: v.array(v.string()),
  boxes: v.array(boxSchema),
  strata: v.object({
    region: v.optional(v.string()),
    view: v.optional(v.nullable(v.string())),
    hardware: v.optional(v.number()),
  }),
});
type Task = v.InferOutput<typeof taskSchema>;

/** @throws file-not-found, bad-input */
export async function readDataSets(folder: string): Promise<DataImage[]> {
  const own = await readOwnData(folder);
  if (own !== null) return own;
  const sets = await Promise.all(
    (["fracatlas", "busi", "nih-cxr14"] as const).map(async (set) =>
      (await readTasks(folder, set)).map((task) => dataImage(folder, set, task)),
    ),
  );
  return sets.flat();
}

async function readTasks(folder: string, set: OpenSet): Promise<Task[]> {
  let text: string;
  try {
    text = await readFile(path.join(folder, set, "tasks.json"), "utf8");
  } catch (cause) {
    throw appError("file-not-found", `The folder ${folder} does not hold the image set ${set}.`, cause);
  }
  const parsed = v.safeParse(v.array(taskSchema), JSON.parse(text));
  if (!parsed.success) throw appError("bad-input", `The list of the image set ${set} is not as expected.`);
  return parsed.output;
}

function dataImage(folder: string, set: OpenSet, task: Task): DataImage {
  const group = task.group ?? task.patient ?? task.file;
  const findings = findingsOf(set, task);
  return {
    set,
    file: task.file,
    path: path.join(folder, set, "images", task.file),
    group,
    part: partOf(set, group),
    region: set === "fracatlas" ? (task.strata.region ?? "") : set === "busi" ? "breast" : "chest",
    facts: factsOf(set, task),
    findings,
    claims: trainedClaims,
    boxes: task.boxes.flatMap(({ name, box: [x, y, width, height] }) => {
      const finding = set === "fracatlas" ? "fracture" : set === "busi" ? "lesion" : name;
      const box = { finding, box: { x, y, width, height } };
      return name === "malignant" || name.startsWith("malignant ")
        ? [box, { ...box, finding: "malignant" }]
        : [box];
    }),
  };
}

function findingsOf(set: OpenSet, { labels, strata }: Task): Record<string, boolean> {
  if (set === "fracatlas") {
    return { fracture: labels[0] === "fractured", hardware: (strata.hardware ?? 0) > 0 };
  }
  if (set === "busi") return { lesion: labels[0] !== "normal", malignant: labels[0] === "malignant" };
  return Object.fromEntries(chestFindings.map((name) => [name, labels.includes(name)]));
}

export const chestFindings = [
  "Atelectasis",
  "Cardiomegaly",
  "Effusion",
  "Infiltration",
  "Mass",
  "Nodule",
  "Pneumonia",
  "Pneumothorax",
] as const;

function factsOf(set: OpenSet, { strata }: Task): HeaderFacts {
  if (set === "busi") return { modality: "US", bodyPart: "BREAST", view: null };
  if (set === "nih-cxr14") return { modality: "DX", bodyPart: "CHEST", view: strata.view ?? null };
  return { modality: "CR", bodyPart: (strata.region ?? "").split("+")[0]!.toUpperCase(), view: null };
}
