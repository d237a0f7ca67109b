import path from "node:path";
import { throwIfAborted } from "../../core/errors.ts";
import type { LoadedView } from "../../models/api.ts";
import type { Context } from "../context.ts";
import type { Part } from "../router.ts";
import { loadView } from "./load-views.ts";

/** Measurements of a pack: the archive process reads the images, the inference process does the rest. */
export function evaluationProcedures(context: Context): Part<"evaluations.run"> {
  return {
    async *"evaluations.run"(input, signal) {
      const evaluation = {
        ...input,
        data: path.resolve(input.data),
        state: input.state.map((file) => path.resolve(file)),
      };
      const inference = await context.inference.ready(signal);
      const { files } = await inference.planEvaluation(evaluation, signal);
      const images: LoadedView[] = [];
      for (const [index, file] of files.entries()) {
        throwIfAborted(signal);
        images.push(await loadFile(context, file, signal));
        if (index % 20 === 0) {
          yield {
            type: "progress",
            text: "reading images",
            fraction: index / files.length,
            remaining_ms: null,
          };
        }
      }
      yield* inference.evaluate({ evaluation, images }, signal);
    },
  };
}

async function loadFile(context: Context, file: string, signal: AbortSignal): Promise<LoadedView> {
  const { files } = await context.archive.bare().openFiles({ path: file }, signal);
  const view = {
    source: { file, sha256: files[0]?.sha256 ?? "" },
    frame: 1,
    voi: null,
    invert: false,
    crop: null,
    turn: { flip: false, rotate: 0 },
    regions: [],
  } as const;
  return loadView(context, { ...view, regions: [] }, signal);
}
