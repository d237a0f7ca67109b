import type { ByteSource } from "../byte-source.ts";

/** Something that may be a DICOM object or a ZIP: a file, an entry of a ZIP, an uploaded file. */
export interface Candidate {
  /** Its own name without folders, for the user to recognise it by; never used to write anything. */
  readonly name: string;
  /** With its folders, to compare it with what a DICOMDIR names; never used to open anything. */
  readonly path: string;
  open(): Promise<OpenCandidate>;
}

export interface OpenCandidate {
  readonly source: ByteSource;
  close(): Promise<void>;
}

export function lastName(name: string): string {
  return name.split(/[\\/]/).findLast(Boolean) ?? name;
}
