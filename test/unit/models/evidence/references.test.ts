import { describe, expect, it } from "vitest";
import {
  chooseReferences,
  openReferences,
  type ReferenceImage,
} from "../../../../models/evidence/references.ts";

function images(...kinds: [modality: string, bodyPart: string, count: number][]): ReferenceImage[] {
  return kinds.flatMap(([modality, bodyPart, count]) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${bodyPart}-${index}`,
      modality,
      bodyPart,
      input: { width: 1, height: 1, channels: 1 as const, pixels: Uint8Array.of(0) },
    })),
  );
}
const facts = (modality: string | null, bodyPart: string | null) => ({ modality, bodyPart, view: null });
const names = (references: readonly ReferenceImage[]) => references.map(({ name }) => name);

describe("[GRD-10] references are of the same modality and body part", () => {
  const pack = openReferences(images(["CR", "HAND", 4], ["DX", "CHEST", 5], ["US", "BREAST", 4]));

  it("takes four of the kind, whichever of its names the header uses", () => {
    const expected = { references: pack.images.slice(0, 4), matched: true };
    expect(chooseReferences(pack, facts("CR", "HAND"))).toEqual(expected);
    expect(chooseReferences(pack, facts("DX", "wrist"))).toEqual(expected);
    expect(names(chooseReferences(pack, facts("CR", "CHEST")).references)).toEqual([
      "CHEST-0",
      "CHEST-1",
      "CHEST-2",
      "CHEST-3",
    ]);
    expect(names(chooseReferences(pack, facts("US", "BREAST")).references)).toHaveLength(4);
  });

  it("says so where there are too few, and fills up with the nearest", () => {
    const { references, matched } = chooseReferences(pack, facts("CR", "KNEE"));
    expect(matched).toBe(false);
    expect(references).toHaveLength(4);
    expect(new Set(references.map(({ modality }) => modality)).has("US")).toBe(false);
  });

  it("takes some of each kind where nothing is known of the image", () => {
    const { references, matched } = chooseReferences(pack, facts(null, null));
    expect(matched).toBe(false);
    expect(new Set(references.map(({ bodyPart }) => bodyPart)).size).toBe(3);
  });
});
