import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bytesSource } from "../../../archive/byte-source.ts";
import { checkFiles } from "../../../archive/dicom/check-files.ts";
import { parseHeader } from "../../../archive/dicom/parse-header.ts";
import { readFrame } from "../../../archive/dicom/read-frame.ts";

/**
 * One line of `dicom check` for each file below the first argument, to `lines.jsonl` in the second; for files with
 * lossy codings also every frame's stored values, as octets named by the SHA-256 that the line gives.
 */
const [corpus, out] = process.argv.slice(2);
if (!corpus || !out) throw new Error("usage: dump-frames CORPUS OUT");
mkdirSync(out, { recursive: true });

const lossy = new Set(["50", "51", "53", "55", "81", "91", "203"].map((end) => `1.2.840.10008.1.2.4.${end}`));
const lines: string[] = [];
for await (const line of checkFiles({ paths: [corpus] }, new AbortController().signal)) {
  lines.push(JSON.stringify({ ...line, file: path.relative(corpus, line.file) }));
  if (line.transferSyntax !== null && lossy.has(line.transferSyntax))
    await dump(line.file, line.framesDecoded);
}
writeFileSync(path.join(out, "lines.jsonl"), `${lines.join("\n")}\n`);

async function dump(file: string, frames: number): Promise<void> {
  const header = await parseHeader(bytesSource(new Uint8Array(readFileSync(file))));
  for (let frame = 1; frame <= frames; frame += 1) {
    const { values } = await readFrame(header, frame);
    const octets = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    writeFileSync(path.join(out ?? "", createHash("sha256").update(octets).digest("hex")), octets);
  }
}
