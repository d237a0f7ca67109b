import type { HeaderFacts } from "../core/frame.ts";
import type { LoadedView } from "./api.ts";
import { type JsonSchema, propertyNames } from "./decode/grammar/json-schema.ts";
import { scoreContinuations } from "./decode/score.ts";
import type { ContinuationScore, GroundingModel, GroundingView } from "./evidence/model-access.ts";
import { inputToFrame, visibleContent } from "./image/mapping.ts";
import { prepareView } from "./image/prepare-view.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import type { ImageTokens, PromptPart, PromptReader } from "./runtime/prompt-reader.ts";
import { headerLine } from "./scope.ts";
import { promptText } from "./text/prompt.ts";

/** What is asked, without the images. */
export interface BoundQuestion {
  readonly question: string;
  readonly choices: readonly string[] | null;
  /** Absent or null: the answer is sentences, or a choice. */
  readonly schema?: JsonSchema | null;
  readonly facts: HeaderFacts;
}

/** The prompt of a question about some images. */
export function promptFor(
  pack: LoadedPack,
  { question, choices, schema, facts }: BoundQuestion,
  images: readonly ImageTokens[],
): PromptPart[] {
  const line = choices ? choicesLine(choices) : schema ? schemaLine(schema) : "";
  const texts = promptText({
    tokenizer: pack.tokenizer,
    template: pack.template,
    imageToken: pack.imageToken,
    images: images.length,
    headerLine: headerLine(facts),
    question: question + line,
    ...(pack.prompt ? { layout: pack.prompt } : {}),
  });
  return texts.flatMap((ids, index): PromptPart[] => {
    const image = images[index];
    return image
      ? [
          { type: "text", ids },
          { type: "image", image },
        ]
      : [{ type: "text", ids }];
  });
}

/** As in training. */
function choicesLine(choices: readonly string[]): string {
  return `\nChoices: ${choices.map((choice) => choice.trim().toLowerCase()).join(", ")}.`;
}

/** What the model would otherwise have to guess from the words that it may say. */
function schemaLine(schema: JsonSchema): string {
  const names = propertyNames(schema);
  return names.length === 0 ? "\nAnswer in JSON." : `\nAnswer in JSON with ${names.join(", ")}.`;
}

/** A view as grounding works on it. @throws bad-input */
export function groundingView(pack: Pick<LoadedPack, "image">, { view, frame }: LoadedView): GroundingView {
  const { input, geometry } = prepareView(view, frame, pack.image);
  const content = visibleContent(geometry.content, input);
  return { input, content, toFrame: (rectangle) => inputToFrame(geometry, rectangle) };
}

/** The pack bound to one question, for grounding and evaluations. `reader` is the caller's. */
export function bindQuestion(pack: LoadedPack, asked: BoundQuestion, reader: PromptReader): GroundingModel {
  return {
    get moves() {
      return pack.moves;
    },
    encode: (inputs, signal) => pack.encoder.encode(inputs, signal),
    async score({ alternatives, continuations, lasting = false }, signal) {
      const tokens = continuations.map(({ prefix, text }) => pack.tokenizer.encodeAfter(prefix, text));
      const ids = tokens.map(({ before, tokens: own }) => [...before, ...own.map(({ id }) => id)]);
      const results: ContinuationScore[][] = [];
      for (const images of alternatives) {
        const prompt = promptFor(pack, asked, images);
        const request = { prompt, continuations: ids, vocabulary: pack.language.vocabulary, lasting };
        const scores = await scoreContinuations(reader, request, signal);
        results.push(
          scores.map((score, index) => {
            const { before, tokens: own } = tokens[index]!;
            return own.map(({ start, end }, at) => ({
              start,
              end,
              logProbability: score[before.length + at]!,
            }));
          }),
        );
      }
      return results;
    },
  };
}
