import type { HeaderFacts } from "../../core/frame.ts";
import type { ModelInput } from "../api.ts";
import type { ImageEmbedding } from "./model-access.ts";

/**
 * The fixed images that reliance is measured against (docs/grounding.md, GRD-10): the image itself blurred and
 * mean-filled, and images of the same modality and body part from the pack.
 */
export interface ReferenceImage {
  /** File name inside the pack's `references/`; it names the term in the answer record. */
  readonly name: string;
  readonly modality: string;
  readonly bodyPart: string;
  readonly input: ModelInput;
}

/** Made once for a loaded pack; the embeddings do not depend on the image asked about and are kept. */
export interface ReferenceSet {
  readonly images: readonly ReferenceImage[];
  readonly embeddings: Map<ReferenceImage, ImageEmbedding>;
}

export const leastReferences = 4;

export function openReferences(images: readonly ReferenceImage[]): ReferenceSet {
  return { images, embeddings: new Map() };
}

/**
 * Four references for an image (more would cost time and change little): same modality and body part, filled up where these are fewer than four with the
 * same modality, then with any. `matched` says whether the first four are all of the same kind.
 */
export function chooseReferences(
  { images }: ReferenceSet,
  { modality, bodyPart }: HeaderFacts,
): { references: ReferenceImage[]; matched: boolean } {
  const sameModality = (image: ReferenceImage) =>
    modality !== null && modalityGroup(image.modality) === modalityGroup(modality);
  const samePart = (image: ReferenceImage) =>
    bodyPart !== null && image.bodyPart.toUpperCase() === bodyPart.toUpperCase();
  const sameKind = (image: ReferenceImage) =>
    sameModality(image) && bodyPart !== null && bodyPartGroup(image.bodyPart) === bodyPartGroup(bodyPart);

  const exact = images.filter((image) => sameModality(image) && samePart(image));
  if (exact.length >= leastReferences) return { references: exact.slice(0, leastReferences), matched: true };
  const alike = images.filter(sameKind);
  if (alike.length >= leastReferences) return { references: alike.slice(0, leastReferences), matched: true };
  const near = images.filter((image) => !sameKind(image) && sameModality(image));
  const rest = images.filter((image) => !sameModality(image));
  const filled = [...alike, ...near, ...spread(rest)].slice(0, leastReferences);
  return { references: filled, matched: false };
}

/** Plain radiographs come as CR, DX or RG; they look alike (PS3.3 C.7.3.1.1.1). */
function modalityGroup(modality: string): string {
  const upper = modality.toUpperCase();
  return upper === "CR" || upper === "DX" || upper === "RG" ? "XR" : upper;
}

/** Values of Body Part Examined (PS3.16 Annex L) that show the same kind of image. */
const groups: readonly (readonly string[])[] = [
  "HAND WRIST FINGER THUMB FOREARM ELBOW ARM UP_EXM UPPER_EXTREMITY UPPERLIMB".split(" "),
  "LEG FOOT TOE ANKLE CALCANEUS HEEL KNEE PATELLA TIBIA FIBULA LOW_EXM LOWER_LEG LOWER_EXTREMITY LOWERLIMB EXTREMITY".split(
    " ",
  ),
  "HIP PELVIS FEMUR THIGH".split(" "),
  "SHOULDER CLAVICLE SCAPULA HUMERUS".split(" "),
  ["CHEST", "THORAX", "LUNG", "RIB"],
  ["BREAST"],
];

function bodyPartGroup(bodyPart: string): string {
  const upper = bodyPart.trim().toUpperCase().replaceAll(/\s+/g, "_");
  return groups.find((parts) => parts.includes(upper))?.[0] ?? upper;
}

/** One of each kind before a second of any, so that four of many are not all of one kind. */
function spread(images: readonly ReferenceImage[]): ReferenceImage[] {
  const kinds = new Map<string, ReferenceImage[]>();
  for (const image of images) {
    const kind = `${image.modality}/${image.bodyPart}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), image]);
  }
  const rounds = Math.max(0, ...[...kinds.values()].map((list) => list.length));
  return Array.from({ length: rounds }, (_, round) =>
    [...kinds.values()].flatMap((list) => list.slice(round, round + 1)),
  ).flat();
}
