import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { parseHeader } from "../../archive/dicom/parse-header.ts";
import { readFrame } from "../../archive/dicom/read-frame.ts";
import { frameCount } from "../../archive/dicom/read-instance.ts";
import { openFileSource } from "../../archive/file-source.ts";
import { errorRecord } from "../../core/errors.ts";
import type { PixelFrame } from "../../core/frame.ts";

/** A file of a corpus: its first, middle and last frame, or why there are none. */
export type CorpusFile =
  | { readonly file: string; readonly frames: readonly CorpusFrame[] }
  | { readonly file: string; readonly reason: string };

export interface CorpusFrame {
  /** From 1. */
  readonly frame: number;
  readonly pixels: PixelFrame;
}

/** Every file below a folder, in the order of their names or in a fixed order that mixes its folders. */
export async function* corpusFiles(
  corpus: string,
  order: "by name" | "mixed",
): AsyncGenerator<CorpusFile, void, void> {
  const key = (name: string) => createHash("sha256").update(name).digest("hex");
  const names = (readdirSync(corpus, { recursive: true }) as string[])
    .filter((name) => statSync(path.join(corpus, name)).isFile() && !/\.(json|md)$/.test(name))
    .toSorted((a, b) => (order === "by name" ? (a < b ? -1 : 1) : key(a) < key(b) ? -1 : 1));
  for (const file of names) {
    try {
      const frames = await readFrames(path.join(corpus, file));
      yield frames === null ? { file, reason: "no pixels" } : { file, frames };
    } catch (thrown) {
      yield { file, reason: errorRecord(thrown).code };
    }
  }
}

async function readFrames(file: string): Promise<CorpusFrame[] | null> {
  const source = await openFileSource(file);
  try {
    const header = await parseHeader(source);
    if (!header.pixels) return null;
    const count = frameCount(header.dataSet);
    const wanted = [...new Set([1, Math.ceil(count / 2), count])];
    const frames: CorpusFrame[] = [];
    for (const frame of wanted) frames.push({ frame, pixels: await readFrame(header, frame) });
    return frames;
  } finally {
    await source.close();
  }
}
