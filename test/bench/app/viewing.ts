import type { Page } from "@playwright/test";

export interface Scroll {
  readonly images: number;
  readonly seconds: number;
  /** Images shown a second, one wheel step an animation frame. */
  readonly per_second: number;
}

/** Milliseconds from the click on a study to its first image on the stage. */
export async function timeToFirstImage(page: Page, study: string): Promise<number> {
  const row = page.locator("tr.study").filter({ hasText: study }).first().locator(".study-open");
  await row.waitFor();
  await page.evaluate(() => {
    addEventListener("pointerdown", () => (window.benchPressed = performance.now()), {
      capture: true,
      once: true,
    });
  });
  await row.click();
  const shown = await page.waitForFunction(
    () => {
      const stage = document.querySelector<HTMLElement>('[data-testid="stage"]');
      return stage?.dataset["shown"] ? performance.now() : null;
    },
    undefined,
    { polling: "raf" },
  );
  return await page.evaluate((at) => at! - window.benchPressed, await shown.jsonValue());
}

/** Turns the wheel from one end of the series to the other, a step an animation frame, and counts what was shown. */
export async function scrollThrough(page: Page, direction: 1 | -1): Promise<Scroll> {
  return await page.evaluate(async (down) => {
    const stage = document.querySelector<HTMLElement>('[data-testid="stage"]')!;
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const shown: string[] = [];
    const watch = new MutationObserver(() => {
      const now = stage.dataset["shown"]!;
      if (now !== "" && now !== shown.at(-1)) shown.push(now);
    });
    watch.observe(stage, { attributes: true, attributeFilter: ["data-shown"] });
    const { left, top, width, height } = stage.getBoundingClientRect();
    const place = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, cancelable: true };
    const [, slices] = document.querySelector('[data-testid="image-number"]')!.textContent!.split(" / ");
    const end = down > 0 ? slices : "1";
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    while (stage.dataset["shown"] !== end && seconds() < 60) {
      stage.dispatchEvent(new WheelEvent("wheel", { deltaY: down * 100, ...place }));
      await frame();
    }
    const taken = seconds();
    watch.disconnect();
    return { images: shown.length, seconds: taken, per_second: shown.length / taken };
  }, direction);
}

declare global {
  interface Window {
    benchPressed: number;
  }
}
