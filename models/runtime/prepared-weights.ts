import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, statfs, utimes, writeFile } from "node:fs/promises";
import { arch, cpus } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import type { GraphSource } from "./engine.ts";

/** What ONNX Runtime writes, by the names that `session.ts` gives it. */
export const preparedFiles = { graph: "model.onnx", weights: "weights.bin" } as const;

const manifestName = "prepared.json";
const buildingPrefix = "building-";
/** Packs kept ready; the one that was used longest ago goes first. */
const entriesKept = 4;
/** What is written is about one and a half times the pack's weights. */
const sizeFactor = 2;
/** Of what is free on the disk. */
const diskShare = 0.25;
/** A building that is older was left behind by a process that ended. */
const buildingMs = 6 * 3600 * 1000;

/** To be raised when `processor-graph.ts` makes something else of a graph: what was prepared before is made anew. */
const manifestVersion = 3;

const manifestSchema = v.object({
  schema: v.literal(manifestVersion),
  pack: v.string(),
  runtime: v.string(),
  processor: v.string(),
  files: v.array(
    v.object({ name: v.picklist(Object.values(preparedFiles)), bytes: v.number(), sha256: v.string() }),
  ),
});

export interface PreparedWeightsOptions {
  /** Made where it is not there. Everything in it may be deleted at any time while no pack is loaded. */
  readonly folder: string;
  /** Of ONNX Runtime. */
  readonly version: string;
  readonly processor: string;
}

/** A folder that the runtime writes into. */
export interface Preparation {
  readonly folder: string;
  /** The decoder, which counts from now on; null where the files cannot be kept. */
  keep(): Promise<GraphSource | null>;
  drop(): Promise<void>;
}

/**
 * Decoders as ONNX Runtime makes them while it loads a graph: nodes fused, scales multiplied out, weights of six bits
 * unpacked. Loading such a one again takes a third of the time and half of the memory, since its weights are a file
 * that is mapped. One entry a pack, version of ONNX Runtime and processor (fusions differ). An entry that is not whole
 * is deleted, and made again with the next loading. The order in which the kernels keep their matrices is not in it:
 * docs/decisions/model-runtime.md says why.
 */
export class PreparedWeights {
  readonly #options: PreparedWeightsOptions;

  constructor(options: PreparedWeightsOptions) {
    this.#options = options;
  }

  /** The decoder of a pack; null where it has to be made. Every byte is compared with its digest. */
  async find(pack: string): Promise<GraphSource | null> {
    const folder = this.#entry(pack);
    try {
      await assertWhole(folder, { ...this.#options, pack });
    } catch {
      await this.forget(pack);
      return null;
    }
    const now = new Date();
    await utimes(folder, now, now).catch(() => undefined);
    return this.#graph(pack);
  }

  /** Null where there is no room on the disk, or it cannot be written. `bytes`: of the weights in the pack. */
  async begin(pack: string, bytes: number): Promise<Preparation | null> {
    const { folder: root, version: runtime, processor } = this.#options;
    const folder = path.join(root, `${buildingPrefix}${randomUUID()}`);
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await this.#tidy();
      const { bavail, bsize } = await statfs(root);
      if (sizeFactor * bytes > diskShare * bavail * bsize) return null;
      await mkdir(folder, { mode: 0o700 });
    } catch {
      return null;
    }
    const drop = () => rm(folder, { recursive: true, force: true });
    return {
      folder,
      drop,
      keep: async () => {
        try {
          const files = await Promise.all((await readdir(folder)).map((name) => describe(folder, name)));
          const manifest = { schema: manifestVersion, pack, runtime, processor, files };
          await writeFile(path.join(folder, manifestName), JSON.stringify(manifest));
          // Fails where another process was first.
          await rename(folder, this.#entry(pack));
          return this.#graph(pack);
        } catch {
          await drop();
          return this.find(pack);
        }
      },
    };
  }

  async forget(pack: string): Promise<void> {
    // Where it cannot be deleted it is looked at again at the next loading.
    await rm(this.#entry(pack), { recursive: true, force: true }).catch(() => undefined);
  }

  #graph(pack: string): GraphSource {
    return { type: "file", path: path.join(this.#entry(pack), preparedFiles.graph) };
  }

  #entry(pack: string): string {
    const { folder, version, processor } = this.#options;
    return path.join(folder, `${preparedPrefix(pack)}${shortDigest(`${version}\n${processor}`)}`);
  }

  /** Deletes what an ended process left, what belongs to another version, and what was used longest ago. */
  async #tidy(): Promise<void> {
    const { folder: root, version } = this.#options;
    const kept: { folder: string; used: number }[] = [];
    for (const name of await readdir(root)) {
      const folder = path.join(root, name);
      const used = (await lstat(folder)).mtimeMs;
      const building = name.startsWith(buildingPrefix);
      if (building && Date.now() - used < buildingMs) continue;
      const manifest = building ? null : await readManifest(folder).catch(() => null);
      if (manifest?.runtime === version) kept.push({ folder, used });
      else await rm(folder, { recursive: true, force: true });
    }
    const old = kept.toSorted((a, b) => b.used - a.used).slice(entriesKept - 1);
    for (const { folder } of old) await rm(folder, { recursive: true, force: true });
  }
}

/** How the folders of a pack's entries begin, whatever machine they are for. */
export function preparedPrefix(pack: string): string {
  return `${pack.slice(0, 32)}-`;
}

/** What decides which kernels run here, and so the order of the weights. */
export async function processorName(): Promise<string> {
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const lines = ["model name", "flags", "Features", "CPU part"].map(
    (name) => new RegExp(`^${name}\\s*:.*$`, "m").exec(text)?.[0] ?? "",
  );
  return [arch(), cpus()[0]?.model ?? "", shortDigest(lines.join("\n"))].join(" ");
}

async function readManifest(folder: string): Promise<v.InferOutput<typeof manifestSchema>> {
  return v.parse(manifestSchema, JSON.parse(await readFile(path.join(folder, manifestName), "utf8")));
}

async function assertWhole(
  folder: string,
  { pack, version, processor }: PreparedWeightsOptions & { readonly pack: string },
): Promise<void> {
  const manifest = await readManifest(folder);
  const same = manifest.pack === pack && manifest.runtime === version && manifest.processor === processor;
  if (!same || !manifest.files.some(({ name }) => name === preparedFiles.graph))
    throw new Error("another entry");
  for (const file of manifest.files) {
    const found = await describe(folder, file.name);
    if (found.bytes !== file.bytes || found.sha256 !== file.sha256) throw new Error("not the file it was");
  }
}

async function describe(
  folder: string,
  name: string,
): Promise<{ name: string; bytes: number; sha256: string }> {
  const file = path.join(folder, name);
  const stat = await lstat(file);
  // A link could lead to bytes that change after they were compared.
  if (!stat.isFile() || stat.nlink !== 1) throw new Error("a link");
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
  return { name, bytes: stat.size, sha256: hash.digest("hex") };
}

function shortDigest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
