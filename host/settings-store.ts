import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../core/errors.ts";
import { type Settings, settingsSchema } from "../core/settings.ts";

/** Settings in `settings.json` of the data folder: no patient data, no secrets, so plain text is right. */
export interface SettingsStore {
  read(): Promise<Settings>;
  write(change: Partial<Settings>): Promise<Settings>;
}

export const defaultSettings: Settings = {
  provider: "auto",
  groundBudgetSeconds: 30,
  pack: null,
  // Reading rooms are dark.
  theme: "dark",
};

export function createSettingsStore(dataFolder: string): SettingsStore {
  const file = path.join(dataFolder, "settings.json");
  let last: Promise<unknown> = Promise.resolve();

  async function read(): Promise<Settings> {
    const text = await readFile(file, "utf8").catch(() => "{}");
    // A damaged or older file must not stop the app: what is usable is kept, the rest has its default.
    const parsed = v.safeParse(v.partial(settingsSchema), parseJson(text));
    return { ...defaultSettings, ...(parsed.success ? parsed.output : {}) };
  }

  async function change(partial: Partial<Settings>): Promise<Settings> {
    const settings = { ...(await read()), ...partial };
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await mkdir(dataFolder, { recursive: true, mode: 0o700 });
      await writeFile(temporary, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
      await rename(temporary, file);
    } catch (cause) {
      throw appError(
        "read-only",
        "The settings could not be saved: the data folder cannot be written.",
        cause,
      );
    }
    return settings;
  }

  return {
    read,
    write(partial) {
      // One after the other: two quick changes must not lose one of them.
      const result = last.then(() => change(partial));
      last = result.catch(() => undefined);
      return result;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
