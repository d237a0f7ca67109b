import { expect, test } from "vitest";
import { growthOf, loadCycles } from "../../bench/models/load-cycles.ts";
import { openTinyPack } from "./tiny-pack.ts";

/** A decoder that is not unloaded shows as 17 MiB, prompt readers that are kept as 9: both were tried. */
const boundMiB = 4;

test("loading and unloading a pack again and again does not take more and more memory", async () => {
  const { early, late } = growthOf(await loadCycles(openTinyPack, 40));
  expect(late - early).toBeLessThan(boundMiB);
});
