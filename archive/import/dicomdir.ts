import { appError, AppError, type ErrorRecord } from "../../core/errors.ts";
import type { ByteSource } from "../byte-source.ts";
import { parseHeader } from "../dicom/parse-header.ts";
import { lastName } from "./candidate.ts";

/**
 * A DICOMDIR (PS3.3 annex F, PS3.10 section 8.6) lists the files of a medium. The files themselves are found by
 * walking the medium, since discs come with damaged and incomplete ones; it is used to say what is missing, and to
 * import what it names where the user chose it alone. Nothing is ever opened by a name that stands in it.
 */

/** The attributes read here, all of PS3.3 F.3.2.2. */
const attributes = {
  recordSequence: { tag: 0x00041220, vr: "SQ" },
  inUseFlag: { tag: 0x00041410, vr: "US" },
  fileId: { tag: 0x00041500, vr: "CS" },
} as const;

/** A medium of a million images has a list of some hundred MB, beyond which headers are not read at all. */
const mostFiles = 1_000_000;

export interface Directory {
  /** Normalised, relative to the folder of the DICOMDIR. */
  readonly files: readonly string[];
  /** Entries that lead out of the folder; they are not looked for. */
  readonly outside: number;
}

/** ISO 9660 writes DICOMDIR, `DICOMDIR.` or `DICOMDIR.;1`, and systems show it in either case. */
export function isDirectoryName(name: string): boolean {
  return normalised(name) === "dicomdir";
}

/**
 * Names that differ by case, by a version number (`;1`) or by a dot at the end of a component are the same file on a
 * medium.
 */
export function normalised(name: string): string {
  return name
    .replaceAll("\\", "/")
    .split("/")
    .map((part) => part.replace(/;\d{1,5}$/, "").replace(/\.$/, ""))
    .join("/")
    .toLowerCase();
}

/**
 * What a DICOMDIR names. The offsets that chain its records are not followed: writers leave them out or wrong, and
 * the records stand one after another all the same.
 * @throws dicomdir-damaged, cancelled, and what the source throws
 */
export async function readDirectory(source: ByteSource, signal: AbortSignal): Promise<Directory> {
  const header = await parseHeader(source, signal).catch((thrown: unknown) => {
    if (thrown instanceof AppError && damage.has(thrown.code)) throw directoryDamaged(thrown);
    throw thrown;
  });
  const { dataSet, warnings } = header;
  if (
    !dataSet.has(attributes.recordSequence) ||
    warnings.some((warning) => /ends|damaged|longer/.test(warning))
  ) {
    throw directoryDamaged();
  }
  const files: string[] = [];
  let outside = 0;
  for (const record of dataSet.items(attributes.recordSequence)) {
    // 0: the record was deleted without being taken out.
    if (record.number(attributes.inUseFlag) === 0) continue;
    const parts = record.strings(attributes.fileId);
    if (parts.length === 0 || parts.join("") === "") continue;
    if (parts.every(isPlainName)) files.push(normalised(parts.join("/")));
    else outside += 1;
    if (files.length > mostFiles) throw directoryDamaged();
  }
  return { files, outside };
}

const damage = new Set(["not-dicom", "dicom-damaged", "too-large"]);

/** One component of a file ID: a name, and no way to anywhere. */
function isPlainName(part: string): boolean {
  // oxlint-disable-next-line no-control-regex -- a NUL ends a path in some systems
  return part !== "" && part !== "." && part !== ".." && !/[/\\:\u0000-\u001f]/.test(part);
}

function directoryDamaged(cause?: unknown): AppError {
  return appError(
    "dicomdir-damaged",
    "The list of this medium (DICOMDIR) is damaged. All files of its folder were read instead.",
    cause,
  );
}

export interface MediumWarning {
  readonly name: string;
  readonly error: ErrorRecord;
}

/** What was seen of a folder, an upload or a ZIP, against what its DICOMDIRs name. */
export interface Medium {
  /** A file with its folders. */
  saw(path: string): void;
  /** A DICOMDIR at this place names these files. */
  hasDirectory(path: string, directory: Directory): void;
  /** When all was seen. */
  warnings(): MediumWarning[];
}

export function createMedium(): Medium {
  const seen = new Set<string>();
  const directories: { path: string; directory: Directory }[] = [];

  return {
    saw: (path) => void seen.add(normalised(path)),
    hasDirectory: (path, directory) => void directories.push({ path, directory }),
    warnings() {
      return directories.flatMap(({ path, directory }) => {
        const place = normalised(path);
        const folder = place.slice(0, place.lastIndexOf("/") + 1);
        const missing = new Set(directory.files.filter((file) => !seen.has(folder + file)));
        const name = lastName(path);
        return [
          ...(missing.size > 0 ? [{ name, error: missingFiles([...missing]) }] : []),
          ...(directory.outside > 0 ? [{ name, error: outsideFiles(directory.outside) }] : []),
        ];
      });
    },
  };
}

function missingFiles(files: readonly string[]): ErrorRecord {
  const count = files.length === 1 ? "1 file that is" : `${files.length} files that are`;
  const such = files.slice(0, 3).map((file) => file.toUpperCase());
  const message = `The list of this medium (DICOMDIR) names ${count} not there: ${such.join(", ")}${files.length > 3 ? " and others" : ""}. The medium or the copy is incomplete.`;
  return { code: "file-not-found", message };
}

function outsideFiles(count: number): ErrorRecord {
  const files = count === 1 ? "1 file" : `${count} files`;
  const message = `The list of this medium (DICOMDIR) names ${files} outside its folder. These were not read.`;
  return { code: "forbidden", message };
}
