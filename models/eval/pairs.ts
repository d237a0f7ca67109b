import { groupedBy } from "./grouped-by.ts";
import { seededRandom } from "../evidence/noise.ts";
import type { DataImage, Part } from "./data-sets.ts";
import type { WrongKind } from "./wrong-images.ts";

/** A statement that a finding is present, about an image: its own, or one that it does not belong to. */
export interface Pair {
  readonly key: string;
  readonly finding: string;
  /** Where the finding is. */
  readonly source: DataImage;
  /** What the model is shown. */
  readonly shown: DataImage;
  readonly kind: "true" | "other_patient" | WrongKind;
  readonly seed: number;
}

/** Every image of a part with a boxed finding that has wording, one pair an image and finding. */
export function truePairs(images: readonly DataImage[], part: Part): Pair[] {
  return images
    .filter((image) => image.part === part)
    .flatMap((image) => {
      const findings = [...new Set(image.boxes.map(({ finding }) => finding))].filter(
        (one) => image.claims[one] !== undefined,
      );
      return findings.map((finding) => pair(image, image, { finding, kind: "true" }));
    });
}

/**
 * The same statements with images that they do not belong to. "Other patient": same set and part, another group, the
 * finding absent; three in five, since it is the hardest to tell; the rest are blank and noise.
 */
export function wrongPairs(images: readonly DataImage[], part: Part, count: number): Pair[] {
  const sources = inTurn(shuffled(truePairs(images, part), part === "tune" ? 11 : 13));
  const kinds: Pair["kind"][] = ["other_patient", "blank", "other_patient", "noise", "other_patient"];
  const pairs: Pair[] = [];
  const used = new Set<string>();
  for (let n = 0; pairs.length < count && n < 20 * count && sources.length > 0; n++) {
    const { source, finding } = sources[n % sources.length]!;
    const kind = kinds[pairs.length % kinds.length]!;
    const others = images.filter(
      (other) =>
        other.part === part &&
        other.set === source.set &&
        other.group !== source.group &&
        other.findings[finding] === false,
    );
    const shown =
      kind === "other_patient"
        ? others[hash(`${source.file}|${finding}|${n}`) % Math.max(1, others.length)]
        : source;
    if (shown === undefined) continue;
    const next = pair(source, shown, { finding, kind, round: kind === "other_patient" ? 0 : n });
    if (used.has(next.key)) continue;
    used.add(next.key);
    pairs.push(next);
  }
  return pairs;
}

/** A pair of each set in turn, and within a set of each finding, so that the commonest does not decide alone. */
export function inTurn(pairs: readonly Pair[]): Pair[] {
  const sets = [...groupedBy(pairs, ({ source }) => source.set).values()];
  return alternated(
    sets.map((ofSet) => alternated([...groupedBy(ofSet, ({ finding }) => finding).values()])),
  );
}

/** The first of each list, then the second of each, and so on. */
export function alternated(lists: readonly (readonly Pair[])[]): Pair[] {
  const rounds = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: rounds }, (_, round) =>
    lists.flatMap((list) => list.slice(round, round + 1)),
  ).flat();
}

export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const random = seededRandom(seed);
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function pair(
  source: DataImage,
  shown: DataImage,
  { finding, kind, round = 0 }: { finding: string; kind: Pair["kind"]; round?: number },
): Pair {
  const key = [source.set, source.file, finding, kind, shown.file, round].join("/");
  return { key, finding, source, shown, kind, seed: hash(key) };
}

/** FNV-1a, 32 bit. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
