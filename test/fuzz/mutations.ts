/** Seeded damage for files that a model is read from. */

export type Random = () => number;

/** mulberry32: the same numbers for the same seed on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

/** Bits flipped, numbers overwritten, bytes cut out or put in, within the first `reach` bytes. */
export function mutateBytes(bytes: Uint8Array, random: Random, reach = bytes.length): Uint8Array {
  const limit = Math.max(1, Math.min(reach, bytes.length));
  const copy = new Uint8Array(bytes);
  switch (below(random, 6)) {
    case 0:
      for (let i = below(random, 8); i >= 0; i--) {
        const at = below(random, limit);
        copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8));
      }
      return copy;
    case 1: {
      const at = below(random, limit);
      copy.set(hugeNumber(random).subarray(0, Math.max(0, copy.length - at)), at);
      return copy;
    }
    case 2:
      return copy.slice(0, below(random, limit));
    case 3: {
      const at = below(random, limit);
      return Uint8Array.from([...copy.slice(0, at), ...copy.slice(at + 1 + below(random, 40))]);
    }
    case 4: {
      const at = below(random, limit);
      return Uint8Array.from([...copy.slice(0, at), ...hugeNumber(random), ...copy.slice(at)]);
    }
    default: {
      const at = below(random, limit);
      copy.fill(pick(random, [0, 255, 127, 128]), at, at + below(random, 64));
      return copy;
    }
  }
}

/** Eight bytes that are a large or a negative number in the formats' own order. */
function hugeNumber(random: Random): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  const value = pick(random, [
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 31n - 1n,
    0n,
    2n ** 40n,
  ]);
  view.setBigUint64(0, value & (2n ** 64n - 1n), true);
  return new Uint8Array(view.buffer);
}

/** Texts that have led programs out of a folder, and other things that stand where a text or a number should. */
const strange: readonly unknown[] = [
  "../outside.bin",
  "../../../../etc/passwd",
  "/etc/passwd",
  "C:\\Windows\\win.ini",
  "\\\\server\\share\\x",
  "weights-0.bin/..",
  "./weights-0.bin",
  "con",
  "a\u0000b",
  "",
  "x".repeat(5000),
  -1,
  0,
  1e308,
  2 ** 53,
  4294967296,
  0.5,
  null,
  true,
  [],
  {},
  [[[[[[[[[[]]]]]]]]]],
  "NaN",
  "Infinity",
];

/** One value of a JSON document changed, removed, doubled or moved. */
export function mutateJson(text: string, random: Random): string {
  const value: unknown = JSON.parse(text);
  const places: { parent: Record<string, unknown>; key: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null || places.length > 20_000) return;
    for (const [key, inner] of Object.entries(node)) {
      places.push({ parent: node as Record<string, unknown>, key });
      visit(inner);
    }
  };
  visit(value);
  const { parent, key } = pick(random, places);
  switch (below(random, 7)) {
    case 0:
      delete parent[key];
      break;
    case 1:
      parent[key] = pick(random, places).parent;
      return circular(value) ? mutateJson(text, random) : JSON.stringify(value);
    case 2:
      return JSON.stringify(value).replace(/[[\]{}:,"]/, () => pick(random, ["[", "{", "}", ",", ""]));
    case 3:
      parent[key] = deep(below(random, 4) === 0 ? 3000 : 50);
      break;
    case 4:
      if (typeof parent[key] === "number") parent[key] = -(parent[key] as number) - 1;
      else parent[key] = pick(random, strange);
      break;
    case 5:
      if (typeof parent[key] === "number")
        parent[key] = (parent[key] as number) * 2 ** below(random, 60) + below(random, 3);
      else parent[key] = pick(random, strange);
      break;
    default:
      parent[key] = pick(random, strange);
  }
  return JSON.stringify(value);
}

function circular(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return false;
  } catch {
    return true;
  }
}

/** Arrays in arrays. */
function deep(levels: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}
