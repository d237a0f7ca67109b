import type { PackSummary } from "../core/model-pack.ts";
import { answer, groundSaved } from "./answer.ts";
import type { InferenceApi } from "./api.ts";
import { groundingView } from "./bind-question.ts";
import { benchPack } from "./bench/bench-pack.ts";
import { bindEvalModel } from "./bind-eval-model.ts";
import { evaluate, planEvaluation } from "./eval/evaluate.ts";
import { appError } from "../core/errors.ts";
import type { MachineMemory } from "./fit/available-memory.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import { importModel } from "./import/import-model.ts";
import { precisionOfWeights } from "./import/pack-precision.ts";
import { openLanguagePack } from "./open-language-pack.ts";
import { openPackFolder } from "./pack/pack-files.ts";
import { type CheckedPack, checkPack, findLanguagePack, packSummary } from "./pack/read-pack.ts";
import { signPack } from "./pack/signature/sign-pack.ts";
import { packStandings } from "./pack/signature/standing.ts";
import { describeSignature } from "./pack/signature/verify-signature.ts";
import { PackShelf } from "./pack-shelf.ts";
import { prepareQuestion } from "./prepare-question.ts";
import type { RuntimeOpeners } from "./runtime/runtime.ts";
import { WorkAhead } from "./work-ahead.ts";

/** What the inference process serves: one shelf of packs, and the work on them. */
export function createInferenceService(
  openers: RuntimeOpeners,
  memory?: () => Promise<MachineMemory>,
): InferenceApi {
  const ahead = new WorkAhead();
  const packs = new PackShelf(openers, memory);
  return {
    configure: async (settings) => packs.configure(settings),
    listPacks: (_, signal) => packs.list(signal),
    packStandings: (_, signal) => packStandings(packs, signal),
    packFits: (_, signal) => packs.fits(signal),
    providers: (_, signal) => packs.providers.statuses(signal),
    async *load({ pack }, signal) {
      yield { type: "progress", stage: "load", fraction: null };
      const lease = await packs.lease(pack, signal);
      lease.release();
      yield { type: "done", pack: lease.pack.summary };
    },
    prepare: (request, signal) => ahead.start((stop) => prepareQuestion(packs, request, stop), signal),
    async *answer(request, signal) {
      await ahead.stop();
      yield* answer(packs, request, signal);
    },
    ground: (saved, signal) => groundSaved(packs, saved, signal),
    async modelInput({ pack, view }, signal) {
      const lease = await packs.lease(pack, signal);
      try {
        return groundingView(lease.pack, view).input;
      } finally {
        lease.release();
      }
    },
    async signPack({ folder, ...signing }, signal) {
      const check = checkPack(folder, signal);
      let step = await check.next();
      while (step.done !== true) step = await check.next();
      return signPack(step.value.opened, signing);
    },
    packSignature: async ({ folder, trust }) =>
      describeSignature(await openPackFolder(folder), trust ?? packs.trustFor(folder)),
    async *checkPack({ folder }, signal) {
      const check = checkPack(folder, signal);
      for (;;) {
        const step = await check.next();
        if (step.done === true) {
          yield { type: "done", pack: summaryOf(step.value) };
          return;
        }
        yield { type: "progress", stage: "check", fraction: step.value.fraction };
      }
    },
    importModel: ({ weights = "4bit", ...input }, signal) =>
      importModel({ ...input, precision: precisionOfWeights[weights] }, signal),
    async *bench({ pack, ...options }, signal) {
      const measured = { ...options, threads: packs.providers.threads };
      const folder = pack === null ? null : await findLanguagePack(packs.folders, pack);
      if (folder !== null) {
        const alone = { folder, trust: packs.trustFor(folder) };
        const subject = await openLanguagePack(alone, await packs.providers.choose(signal), signal);
        try {
          yield* benchPack({ ...subject, answering: null }, measured, signal);
        } finally {
          await subject.language.dispose();
        }
        return;
      }
      const lease = await packs.lease(pack, signal);
      try {
        yield* benchPack({ ...subjectOf(lease.pack), answering: lease.pack }, measured, signal);
      } finally {
        lease.release();
      }
    },
    planEvaluation: async (input) => ({ files: await planEvaluation(input) }),
    async *evaluate({ evaluation, images }, signal) {
      const lease = await packs.lease(evaluation.pack, signal);
      const reader = lease.pack.readers.borrow();
      try {
        const model = bindEvalModel(lease.pack, reader);
        yield* evaluate({ input: evaluation, model, loaded: images }, signal);
      } finally {
        await lease.pack.readers.giveBack(reader);
        lease.release();
      }
    },
  };
}

function subjectOf({ summary, folder, provider, language }: LoadedPack) {
  return { summary, folder, provider, language };
}

function summaryOf({ opened, base }: CheckedPack): PackSummary {
  const { language } = (base ?? opened).pack;
  if (language === null)
    throw appError("pack-damaged", "The model pack has no language model. Install it again.");
  return packSummary(opened, language);
}
