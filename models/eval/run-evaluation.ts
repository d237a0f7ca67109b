import type { EvaluationEvent, EvaluationInput } from "../../core/evaluation.ts";
import type { LoadedView } from "../api.ts";
import { bindQuestion, groundingView } from "../bind-question.ts";
import type { LoadedPack } from "../loaded-pack.ts";
import type { PromptReader } from "../runtime/prompt-reader.ts";
import type { EvalModel } from "./eval-model.ts";
import { evaluate } from "./evaluate.ts";

/** `meditron eval` on a loaded pack, through the same functions that answer questions. */
export async function* runEvaluation(
  pack: LoadedPack,
  { evaluation, images }: { evaluation: EvaluationInput; images: readonly LoadedView[] },
  signal: AbortSignal,
): AsyncGenerator<EvaluationEvent, void, void> {
  const reader = pack.readers.borrow();
  try {
    yield* evaluate({ input: evaluation, model: evalModel(pack, reader), loaded: images }, signal);
  } finally {
    await pack.readers.giveBack(reader);
  }
}

export function evalModel(pack: LoadedPack, reader: PromptReader): EvalModel {
  const { name, version, digest } = pack.summary;
  return {
    pack: { name, version, digest },
    folder: pack.folder,
    provider: pack.provider,
    calibration: pack.calibration,
    references: pack.references,
    view: (loaded) => groundingView(pack, loaded),
    bind: (question) => bindQuestion(pack, question, reader),
  };
}
