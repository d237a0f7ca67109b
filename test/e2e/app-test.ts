import { rm } from "node:fs/promises";
import path from "node:path";
import { _electron, expect, type Page, test as base } from "@playwright/test";
import { electronRuntime, noElectron } from "./electron-runtime.ts";
import { makeFolder, root, startHost } from "./host.ts";

/** The app in front of a user: a browser page on the loopback host, or the desktop window. */
export interface OpenApp {
  readonly page: Page;
  readonly env: NodeJS.ProcessEnv;
  /** Data, keys and whatever a test writes beside them. */
  readonly folder: string;
  /** Ends the app and opens it again with the same data. */
  restart(): Promise<void>;
}

export { expect };

/** A fresh app for every test. The Electron project runs where an Electron runtime is found. */
export const test = base.extend<{ app: OpenApp }>({
  app: async ({ browser }, use, testInfo) => {
    const electron = testInfo.project.name === "electron";
    const runtime = electron ? electronRuntime() : null;
    base.skip(electron && runtime === null, noElectron);
    const made = await makeFolder();
    let current = runtime ? await openElectron(runtime, made.env) : await openPage(browser, made);
    await use({
      get page() {
        return current.page;
      },
      env: made.env,
      folder: made.folder,
      async restart() {
        await current.close();
        current = runtime ? await openElectron(runtime, made.env) : await openPage(browser, made);
      },
    });
    await current.close();
    await rm(made.folder, { recursive: true, force: true });
  },
});

interface Opened {
  readonly page: Page;
  close(): Promise<void>;
}

async function openPage(
  browser: import("@playwright/test").Browser,
  made: { folder: string; env: NodeJS.ProcessEnv },
): Promise<Opened> {
  const host = await startHost(made);
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const page = await context.newPage();
  await page.goto(host.url);
  return {
    page,
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
  return { page, close: () => app.close() };
}

/** First start: makes the archive and leaves the worklist open. */
export async function makeArchive(page: Page): Promise<void> {
  await page.getByText("A key file outside the data folder").click();
  await page.getByRole("button", { name: "Make the archive" }).click();
  await page.getByRole("checkbox", { name: /safe place/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Studies", exact: true })).toBeVisible();
}

/** The canvas that shows the image, as levels of red over the whole stage. */
export async function stageLevels(page: Page): Promise<{ width: number; height: number; red: number[] }> {
  return await page.getByTestId("stage").evaluate((stage) => {
    const canvas = stage.querySelector<HTMLCanvasElement>(".stage-picture canvas")!;
    const copy = document.createElement("canvas");
    copy.width = canvas.width;
    copy.height = canvas.height;
    const context = copy.getContext("2d", { willReadFrequently: true })!;
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    const red = Array.from({ length: data.length / 4 }, (_, index) => data[index * 4]!);
    return { width: copy.width, height: copy.height, red };
  });
}
