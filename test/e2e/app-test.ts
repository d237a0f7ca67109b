import { cp, rm } from "node:fs/promises";
import path from "node:path";
import { _electron, type Browser, expect, type Page, test as base } from "@playwright/test";
import { electronRuntime, noElectron } from "./electron-runtime.ts";
import { importMark } from "./mark-study.ts";
import { makeFolder, root, runCli, startHost } from "./host.ts";

/** The app in front of a user: a browser page on the loopback host, or the desktop window. */
export interface OpenApp {
  readonly page: Page;
  readonly env: NodeJS.ProcessEnv;
  /** Data, keys and whatever a test writes beside them. */
  readonly folder: string;
  /** The host's process; null in Electron, where it is the window's own. */
  readonly hostPid: () => number | null;
  /** Ends the app and opens it again with the same data. */
  restart(): Promise<void>;
  /** The same, with `work` done while the app is closed. */
  whileClosed(work: () => Promise<void>): Promise<void>;
}

export { expect };

type Data = "new" | "sample" | "mark" | "uncalibrated";

/**
 * A fresh app for every test. The Electron project runs where an Electron runtime is found. `data` says what the
 * archive holds at the start: "new" is a first start, "sample" the phantom studies (imported once, then copied),
 * "mark" an image with a mark and a pack whose answer is known by construction (mark-study.ts), "uncalibrated" the same
 * with a pack that has no calibration.
 */
export const test = base.extend<{ app: OpenApp; data: Data }, { sample: () => Promise<string> }>({
  data: ["sample", { option: true }],
  sample: [
    // Playwright wants the pattern, even an empty one.
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      let made: Promise<string> | null = null;
      await use(() => (made ??= makeSample()));
      if (made) await rm(await made, { recursive: true, force: true });
    },
    { scope: "worker" },
  ],
  app: async ({ browser, data, sample }, use, testInfo) => {
    const electron = testInfo.project.name === "electron";
    const runtime = electron ? electronRuntime() : null;
    base.skip(electron && runtime === null, noElectron);
    const made = await makeFolder();
    if (data === "sample") await cp(await sample(), made.folder, { recursive: true });
    if (data === "mark" || data === "uncalibrated") await importMark(made, data === "mark");
    let current = runtime ? await openElectron(runtime, made.env) : await openPage(browser, made);
    const app: OpenApp = {
      get page() {
        return current.page;
      },
      env: made.env,
      folder: made.folder,
      hostPid: () => current.pid,
      restart: () => app.whileClosed(() => Promise.resolve()),
      async whileClosed(work) {
        await current.close();
        await work();
        current = runtime ? await openElectron(runtime, made.env) : await openPage(browser, made);
      },
    };
    await use(app);
    await current.close();
    await rm(made.folder, { recursive: true, force: true });
  },
});

async function makeSample(): Promise<string> {
  const { folder, env } = await makeFolder();
  await runCli(["sample"], env);
  return folder;
}

interface Opened {
  readonly page: Page;
  readonly pid: number | null;
  close(): Promise<void>;
}

async function openPage(browser: Browser, made: { folder: string; env: NodeJS.ProcessEnv }): Promise<Opened> {
  const host = await startHost(made);
  const context = await browser.newContext({
    viewport: { width: 1366, height: 768 },
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  await page.goto(host.url);
  return {
    page,
    pid: host.pid,
    async close() {
      await context.close();
      await host.stop();
    },
  };
}

async function openElectron(executablePath: string, env: NodeJS.ProcessEnv): Promise<Opened> {
  const args = [path.join(root, "dist", "electron", "main.js"), "--no-sandbox"];
  const app = await _electron.launch({ executablePath, args, env: env as Record<string, string> });
  const page = await app.firstWindow();
  return { page, pid: null, close: () => app.close() };
}

/** First start: makes the archive and leaves the worklist open. */
export async function makeArchive(page: Page): Promise<void> {
  await page.getByText("A key file outside the data folder").click();
  await page.getByRole("button", { name: "Make the archive" }).click();
  await page.getByRole("checkbox", { name: /safe place/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Studies", exact: true })).toBeVisible();
}

/** Opens the first study in the worklist that names `text`. */
export async function openStudy(page: Page, text: string): Promise<void> {
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  await page.locator("tr.study").filter({ hasText: text }).first().locator(".study-open").click();
}

export interface StageLevels {
  readonly width: number;
  readonly height: number;
  readonly levels: readonly number[];
}

/** The picture on the stage as levels of red, about every fourth pixel both ways. */
export async function stageLevels(page: Page): Promise<StageLevels> {
  return await page.getByTestId("stage").evaluate((stage) => {
    const canvas = stage.querySelector<HTMLCanvasElement>(".stage-picture canvas")!;
    const copy = document.createElement("canvas");
    copy.width = canvas.width;
    copy.height = canvas.height;
    const context = copy.getContext("2d", { willReadFrequently: true })!;
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    const width = Math.floor(copy.width / 4);
    const height = Math.floor(copy.height / 4);
    const levels = Array.from({ length: width * height }, (_, at) => {
      // In the middle of each cell, so that a mirrored picture is read at mirrored places.
      const x = Math.round((((at % width) + 0.5) * copy.width) / width - 0.5);
      const y = Math.round(((Math.floor(at / width) + 0.5) * copy.height) / height - 0.5);
      return data[(y * copy.width + x) * 4]!;
    });
    return { width, height, levels };
  });
}

/** The picture once it rests: Cornerstone draws in an animation frame of its own. */
export async function settledLevels(page: Page): Promise<StageLevels> {
  let last = await stageLevels(page);
  for (;;) {
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
    const next = await stageLevels(page);
    if (partDiffering(next, last) === 0 && next.levels.some((level) => level > 0)) return next;
    last = next;
  }
}

/** The part of the pixels that differ by more than an eighth of the range. */
export function partDiffering(one: StageLevels, other: StageLevels): number {
  if (one.width !== other.width || one.height !== other.height) return 1;
  let count = 0;
  for (let i = 0; i < one.levels.length; i += 1) {
    if (Math.abs(one.levels[i]! - other.levels[i]!) > 32) count += 1;
  }
  return count / one.levels.length;
}
