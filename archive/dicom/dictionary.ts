import type { Dictionary } from "./header-elements.ts";

let loaded: Promise<Dictionary> | null = null;

/**
 * The attributes of PS3.6 from dcmjs, loaded when a header is first shown: the module is over a megabyte. Repeating
 * groups (60xx) have no entry.
 */
export function loadDictionary(): Promise<Dictionary> {
  loaded ??= read();
  return loaded;
}

async function read(): Promise<Dictionary> {
  const { dictionary } = await import("dcmjs/dictionary");
  return new Map(
    Object.entries(dictionary).flatMap(([tag, entry]) => {
      const hex = tag.replace(/[(),]/g, "").toLowerCase();
      return /^[0-9a-f]{8}$/.test(hex) ? [[hex, { vr: entry.vr, keyword: entry.name }] as const] : [];
    }),
  );
}
