import { expect, it } from "vitest";
import { fuzzModels } from "../../../fuzz/fuzz-models.ts";
import { fixtures } from "../import/imported-language.ts";

it(
  "204 damaged packs and checkpoints each end in a named error or are still valid, and open no file outside",
  { timeout: 240_000 },
  async () => {
    const { failures, kinds } = await fuzzModels({ count: 204, seed: 7, fixtures });
    expect(failures).toEqual([]);
    const outcomes = Object.values(kinds).flatMap((kind) => Object.entries(kind));
    const refused = outcomes
      .filter(([code]) => code !== "valid")
      .reduce((sum, [, number]) => sum + number, 0);
    expect(refused).toBeGreaterThan(140);
    // Every kind took its turns.
    expect(Object.keys(kinds)).toHaveLength(17);
    for (const kind of ["pack link", "pack file"]) expect(kinds[kind]).not.toHaveProperty("valid");
  },
);
