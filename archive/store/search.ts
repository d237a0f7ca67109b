import type { Study } from "../../core/study.ts";

/**
 * Whether each word of the search stands in what the worklist shows of a study. Case, accents, full and half width
 * and the carets of DICOM names make no difference: "muller" finds "MÜLLER^ANNA", "lukasz" finds "ŁUKASZ".
 */
export function matchesSearch(study: Study, search: string): boolean {
  const words = plain(search).split(" ").filter(Boolean);
  if (words.length === 0) return true;
  const text = plain(
    [
      study.patientName,
      study.patientId,
      study.accessionNumber,
      study.studyDescription,
      study.studyDate,
      isoDate(study.studyDate),
      ...study.modalities,
    ].join(" "),
  );
  return words.every((word) => text.includes(word));
}

/** Letters whose stroke or joint Unicode does not take apart. */
const plainLetters: Readonly<Record<string, string>> = {
  ł: "l",
  ø: "o",
  đ: "d",
  ð: "d",
  ħ: "h",
  ı: "i",
  ŧ: "t",
  æ: "ae",
  œ: "oe",
  ß: "ss",
  þ: "th",
};

function plain(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[łøđðħıŧæœßþ]/g, (letter) => plainLetters[letter]!)
    .replaceAll(/[\s^=,]+/g, " ");
}

function isoDate(date: string): string {
  return date.length === 8 ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date;
}
