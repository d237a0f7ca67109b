import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

/** Work on files that are not imported: the archive process does it, but needs no key for it. */
export function fileProcedures(
  context: Context,
): Part<"files.pick" | "files.open" | "files.check" | "files.sample"> {
  const archive = () => context.archive.bare();
  return {
    "files.pick": async ({ kind }) => ({ paths: [...(await context.shell.pickPaths(kind))] }),
    async "files.open"(input, signal) {
      const { files, summary } = await archive().openFiles(input, signal);
      return { files: [...files], summary };
    },
    "files.check": (input, signal) => archive().checkFiles(input, signal),
    "files.sample": (input, signal) => archive().writeSample(input, signal),
  };
}
