import type { HeaderElement } from "../core/archive-events.ts";
import type { FileDifference } from "../core/variant.ts";
import type { ByteSource } from "./byte-source.ts";
import { loadDictionary } from "./dicom/dictionary.ts";
import { headerElements } from "./dicom/header-elements.ts";
import { type DicomHeader, parseHeader } from "./dicom/parse-header.ts";

const mostElements = 64;
const chunkBytes = 1024 ** 2;

/** Attributes whose values say nothing about a person and are worth comparing. */
const technical = new Set(
  [
    "TransferSyntaxUID SOPClassUID Modality ImageType Laterality ImageLaterality ViewPosition",
    "SliceThickness SpacingBetweenSlices KVP PixelSpacing ImagerPixelSpacing PixelAspectRatio",
    "SeriesNumber InstanceNumber ImagePositionPatient ImageOrientationPatient SliceLocation NumberOfFrames",
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns BitsAllocated BitsStored",
    "HighBit PixelRepresentation WindowCenter WindowWidth RescaleIntercept RescaleSlope",
    "LossyImageCompression LossyImageCompressionRatio",
  ].flatMap((line) => line.split(" ")),
);

/** Numbers, UIDs and coded terms; a file that puts a name into such an attribute does not get it shown. */
const plainValue = /^(?:[-+0-9.eE\\ ]*|[A-Z0-9_ ]{1,16}(?:\\[A-Z0-9_ ]{0,16}){0,7})$/;

/**
 * How two DICOM files differ, without text that may name a patient.
 * @throws not-dicom, dicom-damaged, cancelled, and what the sources throw
 */
export async function compareFiles(
  files: { first: ByteSource; second: ByteSource },
  signal: AbortSignal,
): Promise<FileDifference> {
  const [first, second] = [await parseHeader(files.first, signal), await parseHeader(files.second, signal)];
  const dictionary = await loadDictionary();
  const lines = [first, second].map((header) => topLines(headerElements(header, dictionary)));
  const differing = differingLines(lines[0]!, lines[1]!);
  return {
    pixels: await comparePixels(first, second),
    elements: differing.slice(0, mostElements),
    moreElements: Math.max(0, differing.length - mostElements),
  };
}

interface Line {
  readonly tag: string;
  readonly keyword: string;
  readonly value: string;
  /** Everything below it too. */
  readonly whole: string;
}

/** Sequences with what is in them, as one line each. */
function topLines(elements: readonly HeaderElement[]): Map<string, Line> {
  const lines = new Map<string, Line>();
  let top = "";
  for (const { tag, keyword, value, depth } of elements) {
    const above = lines.get(top);
    if (depth === 0 || !above) {
      top = tag;
      lines.set(tag, { tag, keyword, value, whole: value });
    } else lines.set(top, { ...above, whole: `${above.whole}\n${depth} ${tag} ${value}` });
  }
  return lines;
}

function differingLines(
  first: ReadonlyMap<string, Line>,
  second: ReadonlyMap<string, Line>,
): FileDifference["elements"] {
  const tags = [...new Set([...first.keys(), ...second.keys()])].toSorted();
  return tags
    .filter((tag) => first.get(tag)?.whole !== second.get(tag)?.whole)
    .map((tag) => {
      const [one, other] = [first.get(tag), second.get(tag)];
      const keyword = one?.keyword ?? other?.keyword ?? "";
      return { tag, keyword, first: shown(one), second: shown(other) };
    });
}

function shown(line: Line | undefined): string | null {
  if (!line || !technical.has(line.keyword) || !plainValue.test(line.value)) return null;
  return line.value;
}

/** As they are stored: the same picture in another transfer syntax counts as different. */
async function comparePixels(first: DicomHeader, second: DicomHeader): Promise<FileDifference["pixels"]> {
  if (!first.pixels && !second.pixels) return "none";
  if (!first.pixels || !second.pixels) return "different";
  const lengths = [first, second].map(({ source, pixels }) => source.size - pixels!.offset);
  if (lengths[0] !== lengths[1]) return "different";
  for (let at = 0; at < lengths[0]!; at += chunkBytes) {
    const [one, other] = [
      await first.source.read(first.pixels.offset + at, chunkBytes),
      await second.source.read(second.pixels.offset + at, chunkBytes),
    ];
    if (Buffer.compare(one, other) !== 0) return "different";
  }
  return "same";
}
