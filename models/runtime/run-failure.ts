import { type AppError, appError, type ErrorCode } from "../../core/errors.ts";

/** What ONNX Runtime said went wrong: its own number where it gave one (OrtErrorCode), and its words. */
export interface RuntimeWords {
  readonly kind: "missing-file" | "bad-graph" | "other";
  readonly message: string;
}

/** The library's own words stay in the cause, for the log only: they hold paths. */
export function runFailure(words: RuntimeWords): AppError {
  const code = codeOf(words);
  return appError(code, plainWords(code, words), new Error(words.message));
}

/** What the library, CUDA, Dawn, Vulkan and Direct3D say where memory, their own or a card's, is not enough. */
const noMemory =
  /bad[_ ]alloc|failed to allocate|out[_ ]?of[_ ]?(?:device[_ ]?|host[_ ]?)?memory|allocation failed|is smaller than requested bytes|not enough memory resources|8007000e|exceeds the max buffer size/i;

/** What the library says where a graph computes in half precision and the card's driver does not. */
const noHalf = /requires f16 but the device does not support it/i;

function codeOf({ kind, message }: RuntimeWords): ErrorCode {
  if (/terminate flag/i.test(message)) return "cancelled";
  if (noMemory.test(message)) return "out-of-memory";
  if (noHalf.test(message)) return "provider-not-available";
  return kind === "other" ? "model-failed" : "pack-damaged";
}

function plainWords(code: ErrorCode, { kind }: RuntimeWords): string {
  switch (code) {
    case "cancelled":
      return "Cancelled.";
    case "out-of-memory":
      return "There is not enough memory for this model. Close other programs or take a smaller pack.";
    case "provider-not-available":
      return "This graphics card does not compute with 16 bits. Choose the provider CPU, or a pack with 4-bit or 8-bit weights.";
    case "pack-damaged":
      return kind === "missing-file"
        ? "A file of the model pack is missing. Install the pack again."
        : "A graph of the model pack cannot be read. Install the pack again.";
    default:
      return "The model stopped with an error. The log holds details.";
  }
}
