import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { headerFactsSchema } from "../../core/frame.ts";
import { rectangleSchema } from "../../core/view.ts";
import type { DataImage } from "./data-sets.ts";

/**
 * A site's own images for `meditron eval`: a folder with `evaluation.json` and the images it names. So an imported
 * pack can be calibrated on the images that it will be used for (docs/evaluation.md).
 */
const claimSchema = v.object({ question: v.string(), present: v.string(), absent: v.string() });
const name = v.pipe(v.string(), v.regex(/^[\w.-]{1,100}$/));

const ownDataSchema = v.object({
  name,
  claims: v.record(v.string(), claimSchema),
  images: v.array(
    v.object({
      /** Below `images/`. */
      file: name,
      /** The patient, or what stands for him: a group is in one part only. */
      group: v.string(),
      part: v.picklist(["tune", "report"]),
      facts: headerFactsSchema,
      findings: v.record(v.string(), v.boolean()),
      /** Pixels of the stored image. */
      boxes: v.array(v.object({ finding: v.string(), box: rectangleSchema })),
    }),
  ),
});
export type OwnData = v.InferOutput<typeof ownDataSchema>;

/** Null where the folder has no evaluation.json. @throws bad-input */
export async function readOwnData(folder: string): Promise<DataImage[] | null> {
  let text: string;
  try {
    text = await readFile(path.join(folder, "evaluation.json"), "utf8");
  } catch {
    return null;
  }
  const data = parse(text);
  const parts = new Map<string, string>();
  return data.images.map((image) => {
    const other = parts.get(image.group);
    if (other !== undefined && other !== image.part) {
      throw appError("bad-input", `evaluation.json has the group ${image.group} in both parts.`);
    }
    parts.set(image.group, image.part);
    return {
      ...image,
      set: data.name,
      path: path.join(folder, "images", image.file),
      region: image.facts.bodyPart ?? "",
      claims: data.claims,
    };
  });
}

function parse(text: string): OwnData {
  try {
    return v.parse(ownDataSchema, JSON.parse(text));
  } catch (cause) {
    throw appError("bad-input", "evaluation.json is not as docs/evaluation.md describes it.", cause);
  }
}
