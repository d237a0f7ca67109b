import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

export function studyProcedures(
  context: Context,
): Part<
  | "studies.list"
  | "studies.series"
  | "studies.delete"
  | "studies.variants"
  | "studies.conflicts"
  | "variants.choose"
  | "series.thumbnail"
> {
  const archive = (signal: AbortSignal) => context.archive.ready(signal);
  return {
    "studies.list": async (input, signal) => (await archive(signal)).listStudies(input, signal),
    "studies.series": async (input, signal) => (await archive(signal)).listSeries(input, signal),
    async "studies.delete"(input, signal) {
      await (await archive(signal)).deleteStudy(input, signal);
      return {};
    },
    "studies.variants": async (input, signal) => (await archive(signal)).listVariants(input, signal),
    "studies.conflicts": async (_input, signal) => (await archive(signal)).countVariants({}, signal),
    async "variants.choose"(input, signal) {
      await (await archive(signal)).chooseVariant(input, signal);
      return {};
    },
    "series.thumbnail": async (input, signal) => (await archive(signal)).thumbnail(input, signal),
  };
}
