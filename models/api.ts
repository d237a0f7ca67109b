import type { ApiKinds } from "../core/rpc.ts";
import type { EvaluationEvent, EvaluationInput } from "../core/evaluation.ts";
import type { PackFit } from "../core/memory-fit.ts";
import type { FrameSummary, PixelFrame } from "../core/frame.ts";
import type {
  PackSignature,
  PackSigner,
  PackStanding,
  PackSummary,
  PackTrust,
  PackWeights,
  ProviderStatus,
} from "../core/model-pack.ts";
import type { Answer, AnswerEvent, Question } from "../core/question.ts";
import type { View } from "../core/view.ts";

/** One view with the pixels it refers to and the header facts of its frame. */
export interface LoadedView {
  readonly view: View;
  readonly frame: PixelFrame;
  readonly summary: FrameSummary;
}

export interface AnswerRequest {
  readonly id: string;
  readonly question: Question;
  readonly views: readonly LoadedView[];
}

export interface InferenceSettings {
  /** Folders that hold packs, each in a folder of its own; the first is the one shipped with the app. */
  readonly packFolders: readonly string[];
  /** "auto", "cpu", "webgpu", "cuda". */
  readonly provider: string;
  readonly threads: number | null;
  /** Where the process remembers a graphics driver that ended it; null: nowhere. */
  readonly stateFolder: string | null;
  /** For weights that are kept ready for this machine; absent or null: nowhere. All of it may be deleted. */
  readonly cacheFolder?: string | null;
  /** Where IT has put the files for NVIDIA's cards; absent or null: nowhere. */
  readonly cudaFolder?: string | null;
  /** Whose signatures count for packs that did not come with the app; absent: no policy says. */
  readonly trust?: PackTrust | null;
}

/** The exact model input, 8 bit, before normalisation: `channels` interleaved by pixel. */
export interface ModelInput {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

export type BenchPart = "text" | "image" | "evidence" | "bandwidth";

export type ModelProgress =
  | { readonly type: "progress"; readonly stage: string; readonly fraction: number | null }
  | { readonly type: "done"; readonly pack: PackSummary };

/** What the inference process does for the host. */
export interface InferenceApi {
  configure(input: InferenceSettings, signal: AbortSignal): Promise<void>;
  listPacks(input: Record<string, never>, signal: AbortSignal): Promise<PackSummary[]>;
  /** Who signed each pack, and whether it may be used here. */
  packStandings(input: Record<string, never>, signal: AbortSignal): Promise<PackStanding[]>;
  /** What each pack will take of this machine's memory, estimated from its files. */
  packFits(input: Record<string, never>, signal: AbortSignal): Promise<PackFit[]>;
  providers(input: Record<string, never>, signal: AbortSignal): Promise<ProviderStatus[]>;
  /** Loads a pack (null: the default one) so that the first question is quick. */
  load(input: { pack: string | null }, signal: AbortSignal): AsyncGenerator<ModelProgress, void, void>;
  /** Reads images and the beginning of a question while it is written; the next question ends it. */
  prepare(input: AnswerRequest, signal: AbortSignal): Promise<void>;
  answer(input: AnswerRequest, signal: AbortSignal): AsyncGenerator<AnswerEvent, void, void>;
  /** The evidence of a saved answer, tested now without a budget. */
  ground(
    input: { request: AnswerRequest; answer: Answer },
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent, void, void>;
  modelInput(input: { pack: string; view: LoadedView }, signal: AbortSignal): Promise<ModelInput>;
  /** Signs a pack after a check of its files. `key`, `certificates`: PEM. */
  signPack(
    input: {
      folder: string;
      key: string;
      passphrase: string | null;
      certificates: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<PackSigner>;
  /** What is known of a pack's signature; `trust` null: as the settings have it. */
  packSignature(
    input: { folder: string; trust: PackTrust | null },
    signal: AbortSignal,
  ): Promise<PackSignature>;
  checkPack(input: { folder: string }, signal: AbortSignal): AsyncGenerator<ModelProgress, void, void>;
  /** Makes the pack `name` in `targetFolder`, the folder that holds packs. */
  importModel(
    input: {
      source: string;
      targetFolder: string;
      name: string;
      weights?: PackWeights | undefined;
      adapter?: string | null;
      baseConfig?: string | null;
      kvCache?: "float32" | "int8" | undefined;
    },
    signal: AbortSignal,
  ): AsyncGenerator<ModelProgress, void, void>;
  /** How fast a pack (null: the default one) is here; medians over `rounds`. */
  bench(
    input: { pack: string | null; rounds: number; parts: readonly BenchPart[]; warmUp: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<EvaluationEvent, void, void>;
  /** The image files that an evaluation needs, absolute; the host reads them through the archive process. */
  planEvaluation(input: EvaluationInput, signal: AbortSignal): Promise<{ files: string[] }>;
  /** `images`: one a planned file, in the plan's order. */
  evaluate(
    input: { readonly evaluation: EvaluationInput; readonly images: readonly LoadedView[] },
    signal: AbortSignal,
  ): AsyncGenerator<EvaluationEvent, void, void>;
}

export const inferenceKinds: ApiKinds<InferenceApi> = {
  configure: "call",
  listPacks: "call",
  packStandings: "call",
  packFits: "call",
  providers: "call",
  load: "stream",
  prepare: "call",
  answer: "stream",
  ground: "stream",
  modelInput: "call",
  signPack: "call",
  packSignature: "call",
  checkPack: "stream",
  importModel: "stream",
  bench: "stream",
  planEvaluation: "call",
  evaluate: "stream",
};
