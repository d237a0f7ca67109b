import { appError } from "../../core/errors.ts";
import type { LoadedView } from "../api.ts";
import type { GroundingView } from "../evidence/model-access.ts";
import type { DataImage } from "./data-sets.ts";
import type { EvalModel } from "./eval-model.ts";

/** The images of an evaluation, made into model inputs when they are first needed. */
export interface ImageShelf {
  view(image: Pick<DataImage, "path">): GroundingView;
}

export function imageShelf(
  model: EvalModel,
  files: readonly string[],
  images: readonly LoadedView[],
): ImageShelf {
  const loaded = new Map(files.map((file, index) => [file, images[index]]));
  const made = new Map<string, GroundingView>();
  return {
    view({ path }) {
      const known = made.get(path);
      if (known !== undefined) return known;
      const image = loaded.get(path);
      if (image === undefined) throw appError("bad-input", "An image of the evaluation was not read.");
      const view = model.view(image);
      made.set(path, view);
      return view;
    },
  };
}
