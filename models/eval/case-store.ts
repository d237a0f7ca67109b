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
  if (file !== null) for (const [key, value] of await readLines(file)) known.set(key, value);
  const full = (key: string) => `${run}|${key}`;
  return {
    get: (key) => known.get(full(key)),
    async put(key, value) {
      known.set(full(key), value);
      if (file !== null) await appendFile(file, `${JSON.stringify({ key: full(key), value })}\n`);
    },
  };
}

async function readLines(file: string): Promise<[string, unknown][]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line): [string, unknown][] => {
    try {
      const { key, value } = JSON.parse(line) as { key: string; value: unknown };
      return [[key, value]];
    } catch {
      return [];
    }
  });
}
