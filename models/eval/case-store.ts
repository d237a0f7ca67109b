import { appendFile, readFile } from "node:fs/promises";

/**
 * Finished cases of a long evaluation, one JSON line each, so that a run that was stopped goes on where it was. The
 * key holds all that the result depends on; a line that was cut short is measured again.
 */
export interface CaseStore {
  get(key: string): unknown;
  put(key: string, value: unknown): Promise<void>;
}

export async function openCaseStore(file: string | null, run: string): Promise<CaseStore> {
  const known = new Map<string, unknown>();
  if (file !== null) {
    const text = await readText(file);
    for (const [key, value] of readLines(text)) known.set(key, value);
    // Else the next line would be lost with the one that was cut.
    if (text !== "" && !text.endsWith("\n")) await appendFile(file, "\n");
  }
  const full = (key: string) => `${run}|${key}`;
  return {
    get: (key) => known.get(full(key)),
    async put(key, value) {
      known.set(full(key), value);
      if (file !== null) await appendFile(file, `${JSON.stringify({ key: full(key), value })}\n`);
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
