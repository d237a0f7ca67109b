import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What fades in is half transparent on its way, and would be judged by a contrast that nobody reads it with. */
async function untilStill(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const ending = document
      .getAnimations()
      .filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
    // One that is cancelled on the way rejects, and has come to rest too.
    await Promise.allSettled(ending.map((animation) => animation.finished));
  });
}

/** WCAG 2.2 A and AA, contrast among them, of what is in view. Playwright's evaluate is not bound by the page's policy. */
export async function violations(page: Page): Promise<string[]> {
  await untilStill(page);
  await page.evaluate(await readFile(axePath, "utf8"));
  return await page.evaluate(async () => {
    interface Axe {
      run(
        context: Document,
        options: object,
      ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
    }
    const { axe } = globalThis as unknown as { axe: Axe };
    const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const { violations: found } = await axe.run(document, { runOnly: { type: "tag", values } });
    return found.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ""}`),
    );
  });
}

/** Of what is in view now, in both themes; the theme that was there comes back. */
export async function violationsInBothThemes(page: Page): Promise<string[]> {
  const found: string[] = [];
  const before = await page.locator("html").getAttribute("data-theme");
  for (const theme of ["dark", "light"]) {
    await page.evaluate((name) => (document.documentElement.dataset["theme"] = name), theme);
    found.push(...(await violations(page)).map((violation) => `${theme}: ${violation}`));
  }
  await page.evaluate((name) => (document.documentElement.dataset["theme"] = name ?? "dark"), before);
  return found;
}
