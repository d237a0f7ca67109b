import { chromium } from "@playwright/test";
import { findChromium } from "../../scripts/find-chromium.mjs";
import { openComparePage } from "../e2e/compare-page.ts";
import { corpusFiles } from "../e2e/corpus-frames.ts";
import { sharedData } from "../shared-data.ts";

/**
 * `npm run -s test:canvas [-- CORPUS]`, after a build: draws the first, middle and last frame of every file below a
 * folder at 1:1, through Cornerstone and on the CPU surface, and compares each with core/render-frame.ts pixel by
 * pixel. One JSON object on stdout; exit code 1 where Cornerstone's picture differs by more than one level, or the
 * CPU's at all.
 */
const corpus = process.argv[2] ?? sharedData("dicom");
const executablePath = findChromium();
if (!executablePath) throw new Error("No Chromium was found. Name one in MEDITRON_CHROMIUM.");

const tolerance = { webgl: 1, cpu: 0 } as const;
const kinds = ["webgl", "cpu"] as const;

interface Difference {
  readonly file: string;
  readonly frame: number;
  readonly worst: number;
  readonly differing: number;
}

const totals = {
  webgl: { frames: 0, worst: 0, drawnOnCpu: [] as string[], different: [] as Difference[] },
  cpu: { frames: 0, worst: 0, drawnOnCpu: [] as string[], different: [] as Difference[] },
};
const notCompared: Record<string, string[]> = {};
const squared: string[] = [];
let files = 0;

const page = await openComparePage();
const browser = await chromium.launch({
  executablePath,
  // Software WebGL needs the last one since Chromium 144.
  args: ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"],
});
try {
  const tabs = { webgl: await browser.newPage(), cpu: await browser.newPage() };
  for (const tab of Object.values(tabs)) await tab.goto(page.url);
  for await (const one of corpusFiles(corpus, "by name")) {
    if ("reason" in one) {
      (notCompared[one.reason] ??= []).push(one.file);
      continue;
    }
    files += 1;
    if (files % 20 === 0) console.error(`${files} files`);
    for (const { frame, pixels } of one.frames) {
      for (const kind of kinds) {
        const address = page.offer(pixels);
        const result = await tabs[kind].evaluate(([url, wanted]) => window.compareServed(url, wanted), [
          address,
          kind,
        ] as const);
        const total = totals[kind];
        total.frames += 1;
        total.worst = Math.max(total.worst, result.worst);
        if (result.surface !== kind) total.drawnOnCpu.push(one.file);
        if (result.squared && kind === "webgl") squared.push(one.file);
        if (result.worst > tolerance[kind]) {
          const { worst, differing } = result;
          total.different.push({ file: one.file, frame, worst, differing });
        }
      }
    }
  }
} finally {
  await browser.close();
  await page.close();
}
const ok = kinds.every((kind) => totals[kind].different.length === 0) && files > 0;
console.log(JSON.stringify({ ok, files, ...totals, squared: [...new Set(squared)], notCompared }));
process.exit(ok ? 0 : 1);
