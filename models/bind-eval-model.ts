import { bindQuestion, groundingView } from "./bind-question.ts";
import type { EvalModel } from "./eval/eval-model.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import { readReferences } from "./read-references.ts";
import type { PromptReader } from "./runtime/prompt-reader.ts";
import { kindOf } from "./scope.ts";

/** A loaded pack as evaluations see it; they ask one question at a time, so one reader serves them all. */
export function bindEvalModel(pack: LoadedPack, reader: PromptReader): EvalModel {
  const { name, version, digest, intendedFor } = pack.summary;
  return {
    pack: { name, version, digest },
    folder: pack.folder,
    provider: pack.provider,
    calibration: pack.calibration,
    references: pack.references,
    kindOf: (facts) => kindOf(intendedFor, facts),
    readReferences: (signal) => readReferences(pack, signal),
    view: (loaded) => groundingView(pack, loaded),
    bind: (question) => bindQuestion(pack, question, reader),
  };
}
