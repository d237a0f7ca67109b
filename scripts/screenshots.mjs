// Pictures of every screen in both themes, for the docs and to look at: node scripts/screenshots.mjs [FOLDER]
// Needs a build and Chromium (MEDITRON_CHROMIUM names another one). Uses phantoms alone, and data of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { unreadableDicom } from "./unreadable-dicom.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = path.resolve(process.argv[2] ?? path.join(root, "docs", "images"));
const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-screenshots-"));
const env = {
  ...process.env,
  MEDITRON_DATA: path.join(folder, "data"),
  MEDITRON_CONFIG: path.join(folder, "config"),
};
// MEDITRON_E2E_ROOT names another built copy of the app.
const cli = path.join(process.env["MEDITRON_E2E_ROOT"] ?? root, "dist/host/cli.js");
const host = spawn(process.execPath, [cli, "serve", "--json"], {
  env,
  stdio: ["ignore", "pipe", "inherit"],
});
const [line] = await once(createInterface({ input: host.stdout }), "line");
const browser = await chromium.launch({
  executablePath: process.env["MEDITRON_CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run"],
});
const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
page.setDefaultTimeout(90_000);
await mkdir(target, { recursive: true });

/** The same screen in both themes; the theme is changed in place so that what is open stays open. */
async function shoot(name) {
  for (const theme of ["dark", "light"]) {
    await page.evaluate((wanted) => (document.documentElement.dataset.theme = wanted), theme);
    await page.mouse.move(700, 760);
    await page.waitForTimeout(250);
    await page.screenshot({ path: path.join(target, `${name}-${theme}.png`) });
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = "dark"));
  console.log(name);
}

async function openStudy(text) {
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  await page.locator("tr.study").filter({ hasText: text }).first().locator(".study-open").click();
}

const imageShown = () => page.locator('[data-testid="stage"]:not([data-shown=""])').waitFor();

async function walk() {
  await page.goto(JSON.parse(line).url);
  await page.getByRole("heading", { name: "Make the archive" }).waitFor();
  await shoot("first-start");
  await page.getByText("A key file outside the data folder").click();
  await page.getByRole("button", { name: "Make the archive" }).click();
  await page.getByRole("checkbox", { name: /safe place/ }).waitFor();
  // The key of this throwaway archive opens nothing; all the same none is ever put into a picture.
  await page
    .locator(".recovery-key")
    .evaluate((key) => (key.textContent = key.textContent.replace(/\w/g, "X")));
  await shoot("recovery-key");
  await page.getByRole("checkbox", { name: /safe place/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("No studies yet").waitFor();
  await shoot("studies-empty");

  await page.getByRole("button", { name: /Add the sample study/ }).click();
  await page.getByText(/^Imported \d+ images/).waitFor();
  const unreadable = path.join(folder, "unreadable.dcm");
  await writeFile(unreadable, unreadableDicom());
  const letter = path.join(folder, "letter.dcm");
  await writeFile(letter, Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(40, 0xff)]));
  await page.getByTestId("import-files").setInputFiles([unreadable, letter]);
  await page.getByText(/^Imported 1 image\./).waitFor();
  await page.waitForTimeout(500);
  await shoot("studies");
  await page.getByRole("button", { name: "Close the import report" }).click();
  await page.getByRole("searchbox", { name: "Search studies" }).fill("nobody");
  await page.getByText("No study matches").waitFor();
  await shoot("studies-no-match");
  await page.getByRole("searchbox", { name: "Search studies" }).fill("");

  await openStudy("CT");
  await imageShown();
  await shoot("viewer-ct");
  await page.getByRole("button", { name: "Window presets" }).click();
  await shoot("viewer-presets");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "DICOM header" }).click();
  await page.getByText("PatientName", { exact: true }).waitFor();
  await shoot("header");
  await page.keyboard.press("Escape");
  await openStudy("Wolfe");
  await page.getByText(/cannot be shown/).waitFor();
  await shoot("viewer-error-long-name");

  await openStudy("Chest");
  await imageShown();
  await shoot("viewer-radiograph");
  await page.getByRole("button", { name: "Models", exact: true }).click();
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await shoot("models");
  if (await page.locator(".models-entry").count()) await answers();
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await shoot("settings");
  await page.getByRole("heading", { name: "About" }).scrollIntoViewIfNeeded();
  await shoot("settings-about");

  await page.setViewportSize({ width: 1920, height: 1080 });
  await openStudy("CT");
  await imageShown();
  await shoot("viewer-wide");
}

/** A streamed answer with the evidence of a sentence on the image, and what the model was given. */
async function answers() {
  await openStudy("Hand");
  await imageShown();
  await page.locator(".ask-suggestion").first().click();
  await page.locator(".answer .sentence, .answer-refused").first().waitFor();
  await shoot("answer-testing");
  await page.locator('.answer[data-status="done"]').first().waitFor();
  const sentence = page.locator('.sentence[data-state="supported"], .sentence').last();
  if (await sentence.count()) await sentence.click();
  await shoot("answer");
  const saw = page.getByRole("button", { name: "What the model saw" }).first();
  if (await saw.count()) {
    await saw.click();
    await page.getByRole("dialog").locator("img").first().waitFor();
    await shoot("model-input");
    await page.keyboard.press("Escape");
  }
}

try {
  await walk();
} finally {
  await browser.close();
  host.kill("SIGTERM");
  await once(host, "exit");
  await rm(folder, { recursive: true, force: true });
}
