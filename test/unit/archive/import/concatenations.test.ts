import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLooseFiles } from "../../../../archive/loose-files.ts";
import { sliceOrder } from "../../../../core/slice-order.ts";
import { element, type Element, file, imageElements } from "../../../fixtures/dicom/build-dicom.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

let archive: TestImport;
beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

interface Part {
  /** The last component of the SOP Instance UID. */
  readonly uid: number;
  readonly instanceNumber: number;
  readonly z: number;
  /** Concatenation UID and In-concatenation Number; null for an image that is whole. */
  readonly of: readonly [string, number | null] | null;
  readonly frames?: number;
}

/** An enhanced image of frames that lie 1 mm apart, from `z` on. */
function part({ uid, instanceNumber, z, of, frames = 2 }: Part): Buffer {
  const concatenation: Element[] = of
    ? [
        element(0x00209161, "UI", of[0]),
        ...(of[1] === null ? [] : [element(0x00209162, "US", of[1])]),
        element(0x00209163, "US", 3),
      ]
    : [];
  const perFrame = Array.from({ length: frames }, (_, frame) => [
    element(0x00209113, "SQ", [[element(0x00200032, "DS", `0\\0\\${z + frame}`)]]),
  ]);
  const elements = imageElements({ rows: 2, columns: 2, frames }, [
    element(0x00080018, "UI", `1.2.3.4.${uid}`),
    element(0x00200013, "IS", String(instanceNumber)),
    element(0x7fe00010, "OB", new Uint8Array(4 * frames).fill(uid)),
    element(0x52009229, "SQ", [
      [element(0x00209116, "SQ", [[element(0x00200037, "DS", "1\\0\\0\\0\\1\\0")]])],
    ]),
    element(0x52009230, "SQ", perFrame),
    ...concatenation,
  ]);
  return Buffer.from(file(elements, "1.2.840.10008.1.2.1"));
}

/** UIDs, by their last component, in the order in which the archive shows the series, and a folder of it. */
async function orders(parts: readonly Part[]): Promise<{ archived: number[]; loose: number[] }> {
  const last = (uid: string) => Number(uid.split(".").at(-1));
  // Names in the order of import, which must not matter.
  for (const [at, one] of parts.entries()) await archive.write(`${at}.dcm`, part(one));
  expect(await archive.importPaths(archive.input)).toMatchObject({ imported: parts.length, failed: 0 });
  const [series] = archive.store.catalog.series("1.2.3" as never);
  const loose = createLooseFiles();
  const { signal } = new AbortController();
  const { files } = await loose.open(archive.input, signal);
  const uids: number[] = [];
  for (const index of files.keys()) {
    const { sopInstanceUid } = await loose.summary({ path: archive.input, index, frame: 1 }, signal);
    uids.push(last(sopInstanceUid));
  }
  return { archived: series!.instances.map(({ sopInstanceUid }) => last(sopInstanceUid)), loose: uids };
}

describe("the parts of a concatenation (PS3.3 C.7.6.16.2.2.4)", () => {
  test("stand in the order of their In-concatenation Numbers, whatever positions and UIDs say", async () => {
    // One acquisition from head to foot: positions fall while the numbers rise, and all share an instance number.
    const parts: Part[] = [
      { uid: 1, instanceNumber: 1, z: 0, of: ["1.9.1", 3] },
      { uid: 3, instanceNumber: 1, z: 20, of: ["1.9.1", 1] },
      { uid: 2, instanceNumber: 1, z: 10, of: ["1.9.1", 2] },
    ];
    expect(await orders(parts)).toEqual({ archived: [3, 2, 1], loose: [3, 2, 1] });
    // Also when the archive was closed and opened again.
    await archive.reopen();
    const [series] = archive.store.catalog.series("1.2.3" as never);
    expect(series!.instances.map(({ numberOfFrames }) => numberOfFrames)).toEqual([2, 2, 2]);
    expect(series!.instances[0]!.sopInstanceUid).toBe("1.2.3.4.3");
  });

  test("stay together among other images, at the place of their first part", async () => {
    const parts: Part[] = [
      { uid: 1, instanceNumber: 3, z: 40, of: null },
      { uid: 2, instanceNumber: 2, z: 100, of: ["1.9.1", 2] },
      { uid: 3, instanceNumber: 2, z: 20, of: ["1.9.1", 1] },
      { uid: 4, instanceNumber: 1, z: 0, of: null },
    ];
    expect(await orders(parts)).toEqual({ archived: [4, 3, 2, 1], loose: [4, 3, 2, 1] });
  });

  test("two concatenations at one place go by their instance numbers, each whole", async () => {
    const parts: Part[] = [
      { uid: 1, instanceNumber: 2, z: 0, of: ["1.9.2", 2] },
      { uid: 2, instanceNumber: 1, z: 0, of: ["1.9.1", 2] },
      { uid: 3, instanceNumber: 2, z: 0, of: ["1.9.2", 1] },
      { uid: 4, instanceNumber: 1, z: 0, of: ["1.9.1", 1] },
    ];
    expect(await orders(parts)).toEqual({ archived: [4, 2, 3, 1], loose: [4, 2, 3, 1] });
  });

  test("a part without a number is an image by itself; a missing part leaves the others in order", async () => {
    const parts: Part[] = [
      { uid: 1, instanceNumber: 1, z: 10, of: ["1.9.1", 3] },
      { uid: 2, instanceNumber: 1, z: 20, of: ["1.9.1", 1] },
      { uid: 3, instanceNumber: 1, z: 0, of: ["1.9.1", null] },
    ];
    expect(await orders(parts)).toEqual({ archived: [3, 2, 1], loose: [3, 2, 1] });
  });

  test("equal numbers, as two files of one part have, go by UID", () => {
    const one = (uid: string, number: number) => ({
      placement: { orientation: null, position: null },
      instanceNumber: 1,
      sopInstanceUid: uid,
      concatenation: { uid: "1.9", number },
    });
    expect(sliceOrder([one("3", 1), one("2", 2), one("1", 1)])).toEqual([2, 0, 1]);
  });
});
