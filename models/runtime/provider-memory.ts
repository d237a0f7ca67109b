import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { release } from "node:os";
import path from "node:path";
import * as v from "valibot";

const resultSchema = v.object({
  name: v.string(),
  status: v.picklist(["works", "not-available", "wrong-result", "failed"]),
  reason: v.string(),
  probe_ms: v.nullable(v.number()),
  /** Right only without its faster kernels (`SessionOptions.careful`). */
  careful: v.optional(v.boolean()),
});
export type ProviderResult = v.InferOutput<typeof resultSchema>;

/** Milliseconds a token by provider; null where it ran out of memory or failed. */
const timesSchema = v.record(v.string(), v.nullable(v.number()));
export type PackTimes = Readonly<v.InferOutput<typeof timesSchema>>;

const memorySchema = v.object({
  schema: v.literal(1),
  key: v.string(),
  results: v.array(resultSchema),
  /** By digest. */
  packs: v.record(v.string(), timesSchema),
});
type Memory = v.InferOutput<typeof memorySchema>;

const fileName = "providers.json";
const packsKept = 32;

/**
 * What the self-test found and how fast each pack was, in the state folder. It counts as long as `key` is the same:
 * version of the runtime, drivers, threads. Null as folder: nothing is remembered.
 */
export class ProviderMemory {
  readonly #folder: string | null;
  readonly #key: string;

  constructor(folder: string | null, key: string) {
    this.#folder = folder;
    this.#key = key;
  }

  async results(): Promise<readonly ProviderResult[]> {
    return (await this.#read()).results;
  }

  async keepResults(results: readonly ProviderResult[]): Promise<void> {
    await this.#write({ ...(await this.#read()), results: [...results] });
  }

  async times(pack: string): Promise<PackTimes> {
    return (await this.#read()).packs[pack] ?? {};
  }

  async keepTimes(pack: string, times: PackTimes): Promise<void> {
    const memory = await this.#read();
    const { [pack]: _, ...others } = memory.packs;
    const kept = Object.entries(others).slice(-(packsKept - 1));
    await this.#write({ ...memory, packs: { ...Object.fromEntries(kept), [pack]: { ...times } } });
  }

  async #read(): Promise<Memory> {
    const empty: Memory = { schema: 1, key: this.#key, results: [], packs: {} };
    if (this.#folder === null) return empty;
    try {
      const text = await readFile(path.join(this.#folder, fileName), "utf8");
      const memory = v.parse(memorySchema, JSON.parse(text));
      return memory.key === this.#key ? memory : empty;
    } catch {
      return empty;
    }
  }

  /** A folder that cannot be written costs a self-test at the next start, nothing else. */
  async #write(memory: Memory): Promise<void> {
    if (this.#folder === null) return;
    const file = path.join(this.#folder, fileName);
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(temporary, JSON.stringify(memory));
      await rename(temporary, file);
    } catch {
      // As above.
    }
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where drivers of graphics cards leave traces that change with them; `root` is that of the file system. */
const traces: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: [
    "proc/driver/nvidia/version",
    "sys/module/nvidia/version",
    "sys/module/amdgpu/version",
    "usr/share/vulkan/icd.d",
    "etc/vulkan/icd.d",
    "usr/lib/x86_64-linux-gnu/libvulkan.so.1",
    "usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "usr/lib/aarch64-linux-gnu/libvulkan.so.1",
    "usr/lib64/libvulkan.so.1",
    "usr/lib64/libcuda.so.1",
  ],
  // Each version of a driver has a folder of its own there.
  win32: ["Windows/System32/DriverStore/FileRepository"],
};

/** The libraries that Vulkan's manifests name lie in folders of the system: a new one has another time or size. */
const driverLibraries = /^lib(?:vulkan_|nvidia|GLX_nvidia|gallium|amdvlk)/;
const libraryFolders = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64"];

/**
 * A digest of what is known of this machine's graphics drivers; another one once any of them changes. On macOS they
 * come with the system.
 */
export async function driverMark(
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  root = platform === "win32" ? "C:\\" : "/",
): Promise<string> {
  const named = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES"].flatMap((name) =>
    (env[name] ?? "").split(path.delimiter).filter((file) => file !== ""),
  );
  const facts: string[] = [platform, release(), ...named];
  for (const file of named) facts.push(await traceOf(file));
  for (const trace of traces[platform] ?? []) facts.push(await traceOf(path.join(root, trace)));
  if (platform === "linux") {
    for (const folder of libraryFolders) {
      const names = await readdir(path.join(root, folder)).catch(() => [] as string[]);
      for (const name of names.filter((one) => driverLibraries.test(one)).toSorted()) {
        facts.push(name, await traceOf(path.join(root, folder, name)));
      }
    }
  }
  return createHash("sha256").update(facts.join("\n")).digest("hex").slice(0, 32);
}

/** A small text whole, a folder by the names in it, anything else by size and time. */
async function traceOf(file: string): Promise<string> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) return (await readdir(file)).toSorted().join("|");
    // Files of proc and sys have no size.
    if (found.size < 64 * 1024) return await readFile(file, "utf8");
    return `${found.size} ${found.mtimeMs}`;
  } catch {
    return "none";
  }
}
