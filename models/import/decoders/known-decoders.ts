import { appError } from "../../../core/errors.ts";
import { apertus } from "./apertus.ts";
import type { DecoderArchitecture } from "./architecture.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

/** The next architecture is one more thin file and one more name here. */
const known: readonly DecoderArchitecture[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3,
  phi3,
  apertus,
  olmo2,
];

export const decoderNames: readonly string[] = known.map(({ name }) => name);

/** @throws architecture-not-supported */
export function decoderArchitecture(name: string): DecoderArchitecture {
  const found = known.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw appError(
    "architecture-not-supported",
    `Models of the architecture ${name.slice(0, 100)} cannot be imported. These can: ${decoderNames.join(", ")}.`,
  );
}

/** By the type that nested settings name. @throws architecture-not-supported */
export function decoderOfType(type: string): DecoderArchitecture {
  const found = known.find(({ modelType }) => modelType === type);
  if (found !== undefined) return found;
  throw appError(
    "architecture-not-supported",
    `Language models of the type ${type.slice(0, 50)} cannot be imported.`,
  );
}
