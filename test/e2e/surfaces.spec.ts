import { expect, test } from "@playwright/test";
import { hasSharedData, sharedData, sharedDataMissing } from "../shared-data.ts";
import { type ComparePage, openComparePage } from "./compare-page.ts";
import { corpusFiles } from "./corpus-frames.ts";
import type { Compared } from "./pages/compare/main.ts";

/**
 * The picture on the screen against core/render-frame.ts, pixel by pixel at 1:1: what the eye gets is what the model
 * gets, and neither a rescale applied twice nor one never applied can hide. `npm run -s test:canvas` does the same
 * over a whole corpus.
 */

let compare: ComparePage;
test.beforeAll(async () => {
  compare = await openComparePage();
});
test.afterAll(() => compare?.close());

for (const kind of ["webgl", "cpu"] as const) {
  const within = kind === "webgl" ? 1 : 0;

  test(`every kind of frame is drawn as render-frame says, within ${within} levels (${kind})`, async ({
    page,
  }) => {
    await page.goto(compare.url);
    const results: Compared[] = await page.evaluate((wanted) => window.compareSurfaces(wanted), kind);
    expect(results.length).toBeGreaterThan(25);
    expect(results.every(({ surface }) => surface === kind)).toBe(true);
    expect(results.filter(({ worst }) => worst > within)).toEqual([]);
  });

  test(`a blank first frame does not spoil those behind it (${kind})`, async ({ page }) => {
    await page.goto(compare.url);
    const results: Compared[] = await page.evaluate((wanted) => window.compareBlankFirst(wanted), kind);
    expect(results).toHaveLength(12);
    expect(results.filter(({ worst }) => worst > within)).toEqual([]);
  });

  test(`flips and turns put every pixel where they say (${kind})`, async ({ page }) => {
    await page.goto(compare.url);
    const results: Compared[] = await page.evaluate((wanted) => window.compareTurns(wanted), kind);
    expect(results).toHaveLength(8);
    expect(results.filter(({ worst }) => worst > within)).toEqual([]);
  });
}

test("thirty files of the corpus are drawn as render-frame says, within 1 level", async ({ page }) => {
  test.skip(!hasSharedData, sharedDataMissing);
  await page.goto(compare.url);
  const found: { file: string; surface: string; worst: number }[] = [];
  for await (const one of corpusFiles(sharedData("dicom"), "mixed")) {
    if ("reason" in one) continue;
    const address = compare.offer(one.frames[0]!.pixels);
    const { surface, worst } = await page.evaluate((url) => window.compareServed(url, "webgl"), address);
    found.push({ file: one.file, surface, worst });
    if (found.length === 30) break;
  }
  expect(found).toHaveLength(30);
  expect(found.filter(({ surface, worst }) => surface !== "webgl" || worst > 1)).toEqual([]);
});

test("a stage that is left and entered again many times keeps WebGL", async ({ page }) => {
  await page.goto(compare.url);
  const kinds: string[] = [];
  // Six surfaces each; a browser has sixteen contexts.
  for (let i = 0; i < 4; i += 1) {
    const results = await page.evaluate(() => window.compareBlankFirst("webgl"));
    kinds.push(...results.map(({ surface }) => surface));
  }
  expect(kinds).toEqual(kinds.map(() => "webgl"));
});

test("a lost WebGL context leaves the picture on the stage, drawn on the CPU", async ({ page }) => {
  await page.goto(compare.url);
  const [before, after] = await page.evaluate(() => window.compareAfterLoss());
  expect(before).toMatchObject({ surface: "webgl", differing: 0 });
  expect(after).toMatchObject({ surface: "cpu", worst: 0 });
});
