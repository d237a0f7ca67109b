import { describe, expect, test } from "vitest";
import { edgeLetters } from "../../../core/orientation.ts";
import { sliceOrder } from "../../../core/slice-order.ts";
import type { FramePosition } from "../../../core/frame.ts";
import type { Turn } from "../../../core/view.ts";

const still: Turn = { flip: false, rotate: 0 };
const placement = (changes: Partial<FramePosition>): FramePosition => ({
  orientation: null,
  position: null,
  patientOrientation: null,
  ...changes,
});
const axial = placement({ orientation: [1, 0, 0, 0, 1, 0] });

describe("edge letters", () => {
  test("an axial slice has the patient's left on the right", () => {
    expect(edgeLetters(axial, still)).toEqual({ left: "R", right: "L", top: "A", bottom: "P" });
  });

  test("a coronal slice has the head at the top", () => {
    const coronal = placement({ orientation: [1, 0, 0, 0, 0, -1] });
    expect(edgeLetters(coronal, still)).toEqual({ left: "R", right: "L", top: "H", bottom: "F" });
  });

  test("an oblique slice names the larger part first", () => {
    const oblique = placement({ orientation: [0.9, 0.43, 0, 0, 0, -1] });
    expect(edgeLetters(oblique, still).right).toBe("LP");
    expect(edgeLetters(oblique, still).left).toBe("RA");
  });

  test("a flip swaps left and right alone", () => {
    expect(edgeLetters(axial, { flip: true, rotate: 0 })).toEqual({
      left: "L",
      right: "R",
      top: "A",
      bottom: "P",
    });
  });

  test("a quarter turn clockwise brings the top to the right", () => {
    expect(edgeLetters(axial, { flip: false, rotate: 90 })).toEqual({
      left: "P",
      right: "A",
      top: "R",
      bottom: "L",
    });
  });

  test("a flip comes before the turn", () => {
    expect(edgeLetters(axial, { flip: true, rotate: 90 })).toEqual({
      left: "P",
      right: "A",
      top: "L",
      bottom: "R",
    });
  });

  test("a projection takes Patient Orientation", () => {
    const chest = placement({ patientOrientation: ["L", "F"] });
    expect(edgeLetters(chest, still)).toEqual({ left: "R", right: "L", top: "H", bottom: "F" });
  });

  test("without orientation there are no letters, nor with codes of quadrupeds", () => {
    expect(edgeLetters(placement({}), still).top).toBe("");
    expect(edgeLetters(placement({ patientOrientation: ["LE", "V"] }), still).right).toBe("");
  });
});

describe("slice order", () => {
  const slice = (z: number | null, instanceNumber: number | null, sopInstanceUid: string) => ({
    placement: {
      orientation: [1, 0, 0, 0, 1, 0] as const,
      position: z === null ? null : ([0, 0, z] as const),
    },
    instanceNumber,
    sopInstanceUid,
  });

  test("follows the position, not the instance number", () => {
    expect(sliceOrder([slice(10, 1, "1"), slice(-5, 2, "2"), slice(3, 3, "3")])).toEqual([1, 2, 0]);
  });

  test("follows the instance number where slices share a place", () => {
    expect(sliceOrder([slice(0, 3, "1"), slice(0, 1, "2"), slice(5, 2, "3")])).toEqual([1, 2, 0]);
  });

  test("never depends on the order of import", () => {
    expect(sliceOrder([slice(null, null, "1.9"), slice(null, null, "1.2")])).toEqual([1, 0]);
  });
});
