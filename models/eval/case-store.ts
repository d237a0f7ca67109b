import { appendFile, readFile } from "node:fs/promises";

/**
 * Finished cases of a long evaluation, one JSON line each, so that a run that was stopped goes on where it was and
 * several can share the work. The key holds all that the result depends on; a line that was cut short is measured again.
 */
export interface CaseStore {
  get(key: string): unknown;
  put(key: string, value: unknown): Promise<void>;
}

/** Reads all `files`; new cases are added to the first. */
export async function openCaseStore(files: readonly string[], run: string): Promise<CaseStore> {
  const known = new Map<string, unknown>();
  for (const [index, text] of (await Promise.all(files.map(readText))).entries()) {
    for (const [key, value] of readLines(text)) known.set(key, value);
    // Else the next line would be lost with the one that was cut.
    if (index === 0 && text !== "" && !text.endsWith("\n")) await appendFile(files[0]!, "\n");
  }
  const full = (key: string) => `${run}|${key}`;
  return {
    get: (key) => known.get(full(key)),
    async put(key, value) {
      known.set(full(key), value);
      if (files[0] !== undefined)
        await appendFile(files[0], `${JSON.stringify({ key: full(key), value })}\n`);
    },
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return "";
  }
}

function readLines(text: string): [string, unknown][] {
  return text.split("\n").flatMap((line): [string, unknown][] => {
    try {
      const { key, value } = JSON.parse(line) as { key: string; value: unknown };
      return [[key, value]];
    } catch {
      return [];
    }
  });
}
