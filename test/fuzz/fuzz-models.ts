import { copyFile, cp, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AppError } from "../../core/errors.ts";
import { importModel } from "../../models/import/import-model.ts";
import { caseKinds, type CaseSources } from "./model-cases.ts";
import { seeded } from "./mutations.ts";
import { watchOpens } from "./opened-files.ts";

export interface FuzzReport {
  readonly cases: number;
  readonly seed: number;
  /** By kind of file: how many were refused with which error, how many were still valid. */
  readonly kinds: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Anything but a named error: what went wrong, with the case's number. */
  readonly failures: readonly string[];
  readonly slowestMs: number;
  readonly mostMemoryMb: number;
}

export interface FuzzOptions {
  /** Number of the first case; default 0. */
  readonly first?: number;
  readonly count: number;
  readonly seed: number;
  /** test/fixtures/models */
  readonly fixtures: string;
  /** One kind of file alone; default all, in turn. */
  readonly only?: string | undefined;
}

/** Errors that a file may cause; "internal" would be an error that nobody thought of. */
const named: ReadonlySet<string> = new Set([
  "model-file-damaged",
  "architecture-not-supported",
  "not-supported",
  "pack-damaged",
  "pack-untrusted",
  "pack-not-found",
  "file-not-found",
  "bad-input",
  "model-failed",
  "out-of-memory",
]);

/** Damages packs and checkpoints, one at a time, and reads each as the app does. Case n is the same for the same seed. */
export async function fuzzModels({
  first = 0,
  count,
  seed,
  fixtures,
  only,
}: FuzzOptions): Promise<FuzzReport> {
  const work = await realpath(await mkdtemp(path.join(tmpdir(), "meditron-fuzz-")));
  const all = await caseKinds(await sources(work, fixtures));
  const kinds = only === undefined ? all : all.filter(({ name }) => name === only);
  if (kinds.length === 0) throw new Error(`Kinds: ${all.map(({ name }) => name).join(", ")}.`);
  const counts: Record<string, Record<string, number>> = {};
  const failures: string[] = [];
  let slowestMs = 0;
  let mostMemoryMb = 0;
  const opens = watchOpens();
  try {
    for (let number = first; number < first + count; number++) {
      const kind = kinds[number % kinds.length] as (typeof kinds)[number];
      const fail = (what: string) => failures.push(`case ${number} (${kind.name}): ${what}`);
      const started = performance.now();
      opens.take();
      const outcome = await kind.run(seeded(seed * 1_000_003 + number)).then(
        () => "valid",
        (thrown: unknown) => {
          if (thrown instanceof AppError && named.has(thrown.code)) return thrown.code;
          fail(thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));
          return "not named";
        },
      );
      slowestMs = Math.max(slowestMs, performance.now() - started);
      const outside = opens.take().filter((file) => !file.startsWith(kind.root + path.sep));
      if (outside.length > 0) fail(`opened ${outside[0]}`);
      const left = await kind.restore();
      if (left.length > 0) fail(`left ${left.join(", ")} behind`);
      const own = (counts[kind.name] ??= {});
      own[outcome] = (own[outcome] ?? 0) + 1;
      mostMemoryMb = Math.max(mostMemoryMb, Math.round(process.memoryUsage.rss() / 1e6));
    }
  } finally {
    opens.stop();
    await rm(work, { recursive: true, force: true });
  }
  return { cases: count, seed, kinds: counts, failures, slowestMs: Math.round(slowestMs), mostMemoryMb };
}

async function sources(work: string, fixtures: string): Promise<CaseSources> {
  const whole = path.join(work, "whole");
  await cp(path.join(fixtures, "whole-models/multi-meditron"), whole, { recursive: true });
  const checkpoint = path.join(work, "decoder");
  await cp(path.join(fixtures, "decoders/qwen3"), checkpoint, { recursive: true });
  for (const folder of [whole, checkpoint]) {
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(path.join(fixtures, "tiny-llama", name), path.join(folder, name));
    }
  }
  const targetFolder = path.join(work, "imported");
  await mkdir(targetFolder);
  const input = {
    source: whole,
    targetFolder,
    name: "pack",
    baseConfig: path.join(whole, "base-configs.json"),
  };
  for await (const _ of importModel(input, new AbortController().signal));
  return {
    pack: path.join(targetFolder, "pack"),
    gguf: path.join(fixtures, "tiny-llama.gguf"),
    checkpoint,
    work,
    fixtures,
  };
}
