import { expect, test } from "vitest";
import { fuzzMedia } from "../../../bench/archive/fuzzed-media.ts";

/** test/bench/archive/fuzz-media.ts does the same with 2,000. */
test("100 changed ZIPs and DICOMDIRs end as done or by name, and leave nothing behind", async () => {
  const { outcomes, problems } = await fuzzMedia({ cases: 100, seed: 3 });
  expect(problems).toEqual([]);
  // The changes reach what they are meant for.
  expect(Object.keys(outcomes)).toEqual(expect.arrayContaining(["zip-damaged", "dicomdir-damaged"]));
}, 300_000);
