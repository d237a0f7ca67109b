import { encodeFrame } from "../../core/frame-codec.ts";
import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

export function frameProcedures(
  context: Context,
): Part<"frames.pixels" | "frames.summary" | "frames.header" | "variants.pixels" | "variants.header"> {
  const archive = (signal: AbortSignal) => context.archive.ready(signal);
  return {
    "frames.pixels": async (ref, signal) => encodeFrame(await (await archive(signal)).readFrame(ref, signal)),
    "frames.summary": async (ref, signal) => (await archive(signal)).summariseFrame(ref, signal),
    "frames.header": async (ref, signal) => (await archive(signal)).readHeader(ref, signal),
    "variants.pixels": async (ref, signal) =>
      encodeFrame(await (await archive(signal)).readVariantFrame(ref, signal)),
    "variants.header": async (ref, signal) => (await archive(signal)).readVariantHeader(ref, signal),
  };
}
