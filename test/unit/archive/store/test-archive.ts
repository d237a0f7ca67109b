import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { InstanceUid, SeriesUid, StudyUid } from "../../../../core/study.ts";
import type { ByteSource } from "../../../../archive/byte-source.ts";
import { parseHeader } from "../../../../archive/dicom/parse-header.ts";
import { instanceHeader } from "../../../../archive/dicom/read-instance.ts";
import type { InstanceHeader } from "../../../../archive/instance-header.ts";
import type { ArchiveStore } from "../../../../archive/store/archive-store.ts";

export const readHeader = async (source: ByteSource) => instanceHeader(await parseHeader(source));

export const dataKey = Buffer.alloc(32, 7);
export const patientName = "Szymański^Łucja";

/** In memory where the system has such a folder: hundreds of archives are opened here, each with its syncs. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const memory = "/dev/shm";
  const parent = await statfs(memory).then(
    ({ bavail, bsize }) => (bavail * bsize > 256 * 1024 ** 2 ? memory : tmpdir()),
    () => tmpdir(),
  );
  const folder = await mkdtemp(path.join(parent, "archive-"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export function testHeader(numbers: { study: number; series: number; instance: number }): InstanceHeader {
  const { study, series, instance } = numbers;
  return {
    studyInstanceUid: `1.2.${study}` as StudyUid,
    seriesInstanceUid: `1.2.${study}.${series}` as SeriesUid,
    sopInstanceUid: `1.2.${study}.${series}.${instance}` as InstanceUid,
    sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
    transferSyntaxUid: "1.2.840.10008.1.2.1",
    patientName,
    patientId: "ID-4711",
    patientBirthDate: "19500102",
    patientSex: "F",
    studyDate: `2024010${study}`,
    studyTime: "101500",
    studyDescription: "CT Thorax",
    accessionNumber: "ACC-0815",
    modality: "CT",
    seriesNumber: series,
    seriesDescription: "Lung",
    bodyPartExamined: "CHEST",
    laterality: "",
    instanceNumber: instance,
    concatenation: null,
    numberOfFrames: 1,
    rows: 8,
    columns: 8,
    hasPixels: true,
    position: [0, 0, 5 * (100 - instance)],
    orientation: [1, 0, 0, 0, 1, 0],
    phantom: false,
    facts: { modality: "CT", bodyPart: "CHEST", view: null },
  };
}

/** Imports one object as the import does: staged, published, then named by a row. */
export async function addObject(
  store: ArchiveStore,
  header: InstanceHeader,
  content: Buffer,
): Promise<string> {
  const object = await store.objects.stage(content.length, chunks(content));
  await store.objects.publish([object]);
  const sha256 = createHash("sha256").update(content).digest("hex");
  store.changes.addInstances([{ header, object, bytes: content.length, sha256 }]);
  return object;
}

export async function* chunks(content: Buffer, size = 300_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

export function noise(size: number): Buffer {
  return randomBytes(size);
}

export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

/**
 * Where the text stands in the open below a folder: in UTF-8, Latin-1 or UTF-16 of either byte order, in a file's
 * content or its name; or where these octets stand.
 */
export async function filesWithText(
  folder: string,
  text: string | Uint8Array,
  options: { except?: string } = {},
): Promise<string[]> {
  return (await filesWithTexts(folder, [text], options)).map(({ file }) => file);
}

/** The same for several texts; each file is read once. */
export async function filesWithTexts(
  folder: string,
  texts: readonly (string | Uint8Array)[],
  options: { except?: string } = {},
): Promise<{ file: string; text: string }[]> {
  const searched = texts.map((text) => ({ text, forms: formsOf(text) }));
  const found: { file: string; text: string }[] = [];
  for (const file of await filesBelow(folder)) {
    if (options.except !== undefined && file.startsWith(options.except)) continue;
    // A file that went while the list was read holds nothing any more.
    const octets = await readFile(file).catch(() => Buffer.alloc(0));
    for (const { text, forms } of searched) {
      const inName = typeof text === "string" && path.relative(folder, file).includes(text);
      if (inName || forms.some((form) => octets.includes(form))) found.push({ file, text: String(text) });
    }
  }
  return found;
}

function formsOf(text: string | Uint8Array): Buffer[] {
  if (typeof text !== "string") return [Buffer.from(text)];
  const utf16 = Buffer.from(text, "utf16le");
  const forms = [Buffer.from(text, "utf8"), Buffer.from(text, "latin1"), utf16, Buffer.from(utf16).swap16()];
  // Latin-1 has no form of other letters: what it makes of them stands anywhere.
  const isLatin = [...text].every((letter) => letter.charCodeAt(0) < 0x100);
  return isLatin ? forms : forms.filter((_, index) => index !== 1);
}
