import type { UnfinishedImport } from "../../core/archive-events.ts";

/** "An import of CD-0412 was not finished: 120 of 300 files." */
export function unfinishedText({ paths, progress }: UnfinishedImport): string {
  const [first = "", ...rest] = paths;
  const others = rest.length === 0 ? "" : rest.length === 1 ? " and 1 more" : ` and ${rest.length} more`;
  const what = `An import of ${lastPart(first)}${others} was not finished`;
  if (!progress) return `${what}.`;
  const { done, found, counted } = progress;
  return `${what}: ${done} of ${counted ? found : `at least ${found}`} files.`;
}

/** Of a path of either system. */
function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== "") ?? path;
}
