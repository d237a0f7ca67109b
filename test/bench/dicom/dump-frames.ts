import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bytesSource } from "../../../archive/byte-source.ts";
import { type DicomHeader, parseHeader } from "../../../archive/dicom/parse-header.ts";
import { readFrame } from "../../../archive/dicom/read-frame.ts";
import { frameCount } from "../../../archive/dicom/read-instance.ts";
import { errorRecord } from "../../../core/errors.ts";

/**
 * Reads every frame of the files below the first argument, without the time limit of `dicom check`, and writes to the
 * second: `lines.jsonl`, a line a file with the SHA-256 of each frame's stored values; for files with lossy codings
 * also the values, as octets named by their SHA-256.
 */
const [corpus, out] = process.argv.slice(2);
if (!corpus || !out) throw new Error("usage: dump-frames CORPUS OUT");
mkdirSync(out, { recursive: true });

const lossy = new Set(["50", "51", "53", "55", "81", "91", "203"].map((end) => `1.2.840.10008.1.2.4.${end}`));
const lines: string[] = [];
for (const file of (readdirSync(corpus, { recursive: true }) as string[]).toSorted()) {
  const octets = path.join(corpus, file);
  if (statSync(octets).isFile() && !/\.(json|md)$/.test(file)) {
    lines.push(JSON.stringify({ file, ...(await read(octets)) }));
  }
}
writeFileSync(path.join(out, "lines.jsonl"), `${lines.join("\n")}\n`);

interface Line {
  transferSyntax: string | null;
  status: "ok" | "no-pixels" | "error";
  framesDecoded: number;
  error: { code: string } | null;
  sha256: string[];
}

async function read(file: string): Promise<Line> {
  const line: Line = { transferSyntax: null, status: "error", framesDecoded: 0, error: null, sha256: [] };
  try {
    const header = await parseHeader(bytesSource(new Uint8Array(readFileSync(file))));
    line.transferSyntax = header.syntax.uid;
    if (!header.pixels) return { ...line, status: "no-pixels" };
    const frames = frameCount(header.dataSet);
    while (line.framesDecoded < frames) {
      line.sha256.push(await dump(header, line.framesDecoded + 1));
      line.framesDecoded += 1;
    }
    return { ...line, status: "ok" };
  } catch (thrown) {
    return { ...line, error: errorRecord(thrown) };
  }
}

async function dump(header: DicomHeader, frame: number): Promise<string> {
  const { values } = await readFrame(header, frame);
  const octets = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const sha256 = createHash("sha256").update(octets).digest("hex");
  if (lossy.has(header.syntax.uid)) writeFileSync(path.join(out ?? "", sha256), octets);
  return sha256;
}
