// Pictures of the app, of phantoms alone and with data of their own. Needs a build and Chromium (MEDITRON_CHROMIUM
// names another one; MEDITRON_E2E_ROOT another built copy of the app).
//   node scripts/screenshots.mjs           the few that the README and the guides show, into docs/images
//   node scripts/screenshots.mjs FOLDER    every screen, both themes, 1366 x 768 and 1920 x 1080, to look at
// What a model answers differs from pack to pack: the walk takes what comes, and names what it could not show.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "@playwright/test";
import { limbRadiograph, unreadableDicom } from "./made-dicom.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const everything = process.argv[2] !== undefined;
const target = path.resolve(process.argv[2] ?? path.join(root, "docs", "images"));
const small = { width: 1366, height: 768 };
const sizes = everything ? [small, { width: 1920, height: 1080 }] : [small];
/** What the guides show of a screen: the window at this size, or one element of it. */
const guide = {
  "first-start": { file: "first-start.png", element: ".gate-card" },
  studies: { file: "studies.png", size: { width: 1100, height: 560 } },
  "viewer-tools": { file: "viewer.png", size: { width: 1200, height: 700 } },
  "answer-radiograph": { file: "answer-dark.png", size: small },
};

const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-screenshots-"));
const env = {
  ...process.env,
  MEDITRON_DATA: path.join(folder, "data"),
  MEDITRON_CONFIG: path.join(folder, "config"),
};
const cli = path.join(process.env["MEDITRON_E2E_ROOT"] ?? root, "dist/host/cli.js");
const host = spawn(process.execPath, [cli, "serve", "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
const [line] = await once(createInterface({ input: host.stdout }), "line");
const browser = await chromium.launch({
  executablePath: process.env["MEDITRON_CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run"],
});
const page = await browser.newPage({ viewport: small });
// Generous: a busy machine must not cost a whole walk.
page.setDefaultTimeout(600_000);
/** A whole answer with its evidence, on a busy machine. */
const answered = { timeout: 900_000 };
await mkdir(target, { recursive: true });

/** The same screen in both themes and sizes; changed in place so that what is open stays open. */
async function shoot(name) {
  const wanted = guide[name];
  if (!everything && !wanted) return;
  const themes = everything ? ["dark", "light"] : ["dark"];
  for (const size of everything ? sizes : [wanted.size ?? small]) {
    await page.setViewportSize(size);
    for (const theme of themes) {
      await page.evaluate((chosen) => (document.documentElement.dataset.theme = chosen), theme);
      await page.mouse.move(size.width / 2, size.height - 4);
      await settled();
      const file = everything ? `${name}-${theme}-${size.width}.png` : wanted.file;
      const shown = !everything && wanted.element ? page.locator(wanted.element).last() : page;
      await shown.screenshot({ path: path.join(target, file), animations: "disabled" });
    }
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = "dark"));
  await page.setViewportSize(small);
  await settled();
  console.log(name);
}

/** The picture is drawn in animation frames of its own after a change of size. */
const settled = () =>
  page.evaluate(async () => {
    for (let frame = 0; frame < 4; frame += 1) await new Promise((next) => requestAnimationFrame(next));
  });

/** A step that depends on the answer of the model: left out, and said so, where it does not come. */
async function attempt(what, work) {
  try {
    await work();
  } catch (error) {
    console.warn(`left out: ${what} (${String(error.message).split("\n")[0]})`);
    await page.keyboard.press("Escape").catch(() => undefined);
  }
}

async function openStudy(text) {
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  await page.locator("tr.study").filter({ hasText: text }).first().locator(".study-open").click();
}

const imageShown = () => page.locator('[data-testid="stage"]:not([data-shown=""])').waitFor();
const screen = (name) => page.getByRole("button", { name, exact: true }).click();

/** Drags on the stage, between two places given as parts of its sides. */
async function drag([fromX, fromY], [toX, toY]) {
  const box = await page.getByTestId("stage").boundingBox();
  await page.mouse.move(box.x + box.width * fromX, box.y + box.height * fromY);
  await page.mouse.down();
  await page.mouse.move(box.x + (box.width * (fromX + toX)) / 2, box.y + (box.height * (fromY + toY)) / 2);
  await page.mouse.move(box.x + box.width * toX, box.y + box.height * toY);
  await page.mouse.up();
}

async function start() {
  await page.goto(JSON.parse(line).url);
  await page.getByRole("heading", { name: "Make the archive" }).waitFor();
  // No picture shows where this one lay.
  await page
    .locator(".path")
    .evaluate((text) => (text.textContent = "Data folder: …/meditron-imaging-assistant"));
  await shoot("first-start");
  if (everything) {
    await page.getByRole("button", { name: "Restore from a backup" }).click();
    await shoot("first-start-restore");
    await page.getByRole("button", { name: "Back", exact: true }).click();
  }
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
}

async function worklist() {
  await page.getByRole("button", { name: /Add the sample study/ }).click();
  await page.getByText(/^Imported \d+ images/).waitFor();
  await page.getByRole("button", { name: "Close the import report" }).click();
  await page.locator("tr.study img").nth(3).waitFor();
  await shoot("studies");
  const unreadable = path.join(folder, "unreadable.dcm");
  await writeFile(unreadable, unreadableDicom());
  const letter = path.join(folder, "letter.dcm");
  await writeFile(letter, Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(40, 0xff)]));
  await page.getByTestId("import-files").setInputFiles([unreadable, letter]);
  await page.getByText(/^Imported 1 image\./).waitFor();
  await shoot("studies-import-report");
  await page.getByRole("button", { name: "Close the import report" }).click();
  await page.getByRole("searchbox", { name: "Search studies" }).fill("nobody");
  await page.getByText("No study matches").waitFor();
  await shoot("studies-no-match");
  await page.getByRole("searchbox", { name: "Search studies" }).fill("");
  await page
    .getByRole("button", { name: /^Delete/ })
    .first()
    .click();
  await page.getByRole("dialog").waitFor();
  await shoot("delete-study");
  await page.getByRole("button", { name: "Keep" }).click();
}

/** The phantoms as files, to be changed: the same identifiers with other content. */
async function phantomFiles() {
  const phantoms = path.join(folder, "phantoms");
  await promisify(execFile)(process.execPath, [cli, "sample", "--output", phantoms], { env });
  const files = await readdir(phantoms, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name));
  const sized = await Promise.all(paths.map(async (file) => ({ file, size: (await stat(file)).size })));
  return sized.toSorted((a, b) => b.size - a.size).map(({ file }) => file);
}

/** An import in which something of everything happens, the files that came twice, and one that was cut short. */
async function importResults() {
  const [largest] = await phantomFiles();
  const octets = await readFile(largest);
  const changed = Buffer.from(octets);
  // A strip of its pixels is gone, as where a label was burned in later.
  changed.fill(0, Math.floor(octets.length * 0.88), Math.floor(octets.length * 0.94));
  const input = path.join(folder, "in");
  await mkdir(input);
  const put = async (name, content) => {
    await writeFile(path.join(input, name), content);
    return path.join(input, name);
  };
  const files = [
    await put("IM000001", octets),
    await put("IM000002", changed),
    await put("IM000003", octets.subarray(0, Math.floor(octets.length * 0.6))),
    await put("IM000004", Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(40, 0xff)])),
    await put("IM000005", Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(41, 0xff)])),
    await put("archive.zip", Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(60)])),
    await put("README.TXT", Buffer.from("Viewer software on this disc")),
  ];
  await page.getByTestId("import-files").setInputFiles(files);
  await page.getByText(/have the identifier of another image/).waitFor();
  await shoot("import-results");
  await page.getByRole("button", { name: "Close the import report" }).click();
  await shoot("studies-conflicts");
  await page
    .getByRole("button", { name: /\d conflicts?/ })
    .first()
    .click();
  const pictures = page.getByRole("dialog").locator(".conflict-picture");
  await pictures.first().waitFor();
  // Each has its image, or says why it has none.
  for (const picture of await pictures.all()) await picture.locator("canvas, p").waitFor();
  await shoot("conflicts");
  await page.keyboard.press("Escape");
  const twice = page.locator("tr.study").filter({ has: page.getByRole("button", { name: /\d conflicts?/ }) });
  await twice.first().locator(".study-open").click();
  await imageShown();
  await shoot("viewer-conflict");
  await screen("Studies");
  // Only for the picture: a real one needs a power cut.
  const left = [
    {
      id: "0".repeat(32),
      paths: ["/media/cdrom/CD-0412"],
      startedAt: "2026-01-01T00:00:00Z",
      progress: { done: 120, found: 300, counted: true },
    },
  ];
  await page.route("**/api/imports.unfinished", (route) => route.fulfill({ json: left }));
  await page.reload();
  await page.getByText(/was not finished/).waitFor();
  await page.locator("tr.study img").nth(3).waitFor();
  await shoot("studies-unfinished");
  await page.unroute("**/api/imports.unfinished");
  await page.reload();
}

async function viewer() {
  await openStudy("chest CT");
  await imageShown();
  await shoot("viewer-ct");
  await page.keyboard.press("l");
  await drag([0.3, 0.3], [0.45, 0.45]);
  await page.keyboard.press("e");
  await drag([0.55, 0.3], [0.72, 0.55]);
  await shoot("viewer-tools");
  await page.keyboard.press("r");
  await page.keyboard.press("Delete");
  await page.keyboard.press("w");
  await page.getByRole("button", { name: "Window presets" }).click();
  await shoot("viewer-presets");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await shoot("viewer-keys");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "DICOM header" }).click();
  await page.getByText("PatientName", { exact: true }).waitFor();
  await shoot("header");
  await page.keyboard.press("Escape");
  await attempt("a refusal", async () => {
    await page.locator(".ask-suggestion").first().click();
    await page.locator(".answer-refused").waitFor();
    await shoot("answer-refused");
  });
  await openStudy("Wolfe");
  await page.getByText(/cannot be shown/).waitFor();
  await shoot("viewer-error-long-name");
  await openStudy("chest radiograph");
  await imageShown();
  await page.keyboard.press("i");
  await shoot("viewer-radiograph-inverted");
  await page.keyboard.press("i");
  await openStudy("Breast");
  await imageShown();
  await shoot("viewer-ultrasound");
}

/**
 * A radiograph of a patient, from the part of the data that reports are made on (docs/evaluation.md): one of the few
 * whose sentence rests on a region that is the finding. FracAtlas, CC BY 4.0, Abedeen et al., Scientific Data 10, 2023.
 */
async function radiographAnswer() {
  const data = process.env["MEDITRON_SHARED_DATA"] ?? path.join(root, "..", "shared", "data");
  const jpeg = await readFile(path.join(data, "fracatlas", "images", "IMG0002507.jpg")).catch(() => null);
  if (jpeg === null) return console.warn("left out: answer-radiograph (the research data is not here)");
  const file = path.join(folder, "radiograph.dcm");
  const header = { description: "Lower leg, lateral", patient: "FRACATLAS-2507", bodyPart: "LEG" };
  await writeFile(file, limbRadiograph(jpeg, header));
  await screen("Studies");
  await page.getByTestId("import-files").setInputFiles([file]);
  await page.getByText(/^Imported 1 image\./).waitFor();
  await page.getByRole("button", { name: "Close the import report" }).click();
  await answer("Lower leg");
  await shoot("answer-radiograph");
}

/** A streamed answer with the evidence of a sentence on the image. */
async function answer(study) {
  await openStudy(study);
  await imageShown();
  await page.locator(".ask-suggestion").first().click();
  await page.locator(".answer .sentence, .answer-refused").first().waitFor(answered);
  await shoot("answer-testing");
  const done = page.locator('.answer[data-status="done"]').first();
  await done.waitFor(answered);
  const test = page.getByRole("button", { name: "Test the evidence" }).first();
  if (await test.isVisible()) {
    await test.click();
    await done.waitFor(answered);
  }
  for (const state of ["supported", "diffuse", "uncalibrated", "unsupported", "absent", "untested"]) {
    const sentence = page.locator(`.sentence[data-state="${state}"]`).last();
    if ((await sentence.count()) === 0) continue;
    await sentence.click();
    console.log(`${study}: a sentence that is ${state}`);
    break;
  }
}

/** An answer about a phantom, and what the model was given. */
async function phantomAnswer() {
  await answer("Hand");
  await shoot("answer");
  await attempt("what the model saw", async () => {
    await page.getByRole("button", { name: "What the model saw" }).first().click();
    await page.getByRole("dialog").locator("img").first().waitFor();
    await shoot("model-input");
    await page.keyboard.press("Escape");
  });
  await attempt("the figures", async () => {
    await page.getByRole("button", { name: "More about this answer" }).first().click();
    await page.getByRole("menuitem", { name: "Figures" }).click();
    await page.getByRole("dialog").waitFor();
    await shoot("answer-figures");
    await page.keyboard.press("Escape");
  });
}

/** The archive's card after each kind of work, and the way back from a backup. */
async function upkeep() {
  await screen("Settings");
  const card = page.getByRole("region", { name: "Archive" });
  const heading = card.getByRole("heading", { name: "Archive", exact: true });
  await card.locator(".place, dd").first().waitFor();
  await card.getByRole("button", { name: "Check the archive" }).click();
  await card.getByText(/Nothing is damaged or missing/).waitFor();
  const backup = path.join(folder, "backup");
  await card.getByLabel("Folder for the backup").fill(backup);
  await card.getByRole("button", { name: "Back up" }).click();
  await card.getByText(/Backed up/).waitFor();
  for (const text of await card.locator(".place, .facts dd, p span").all()) {
    await text.evaluate((one, lay) => (one.textContent = one.textContent.replaceAll(lay, "…")), folder);
  }
  const named = (field) => field.evaluate((input) => (input.value = "/mnt/backups/meditron-2026-11"));
  await named(card.getByLabel("Folder for the backup"));
  await heading.evaluate((element) => element.scrollIntoView({ block: "start" }));
  await shoot("settings-archive");
  await card.getByRole("button", { name: "Restore a backup" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Folder of the backup").fill(backup);
  await dialog.getByRole("button", { name: "Look at the backup" }).click();
  await dialog.getByText(/This computer has the key/).waitFor();
  await named(dialog.getByLabel("Folder of the backup"));
  await shoot("settings-restore");
  await dialog.getByRole("button", { name: "Close" }).click();

  // Only for the picture: a real one is an archive that a backup took the place of.
  const aside = [{ name: "2026-01-31T08-30-05", bytes: 14_400_000 }];
  await page.route("**/api/archive.setAside", (route) => route.fulfill({ json: aside }));
  await screen("Models");
  await screen("Settings");
  await card.getByRole("list", { name: "Archives set aside" }).scrollIntoViewIfNeeded();
  await shoot("settings-set-aside");
  await card.getByRole("button", { name: /^Delete the archive set aside/ }).click();
  await shoot("settings-set-aside-delete");
  await page.getByRole("button", { name: "Keep" }).click();
  await page.unroute("**/api/archive.setAside");

  const objects = path.join(folder, "data", "archive", "objects");
  const stored = await readdir(objects, { recursive: true, withFileTypes: true });
  const files = stored
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const whole = new Map();
  for (const file of files.slice(0, 5)) {
    whole.set(file, await readFile(file));
    const octets = Buffer.from(whole.get(file));
    octets[octets.length - 40] ^= 1;
    await writeFile(file, octets);
  }
  await card.getByRole("button", { name: "Check the archive" }).click();
  await card.locator(".upkeep-problems").waitFor();
  await card.getByRole("progressbar").waitFor({ state: "detached" });
  await named(card.getByLabel("Folder for the backup"));
  await heading.evaluate((element) => element.scrollIntoView({ block: "start" }));
  await shoot("settings-archive-damaged");
  for (const [file, octets] of whole) await writeFile(file, octets);
}

async function otherScreens() {
  await screen("Models");
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await shoot("models");
  await screen("Settings");
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await shoot("settings");
  const places = page.locator(".place");
  for (const place of await places.all()) {
    await place.evaluate((text, lay) => (text.textContent = text.textContent.replaceAll(lay, "…")), folder);
    await place.evaluate((text, lay) => (text.textContent = text.textContent.replaceAll(lay, "…/")), root);
  }
  await page.getByRole("heading", { name: "Help and about" }).scrollIntoViewIfNeeded();
  await shoot("settings-help");
}

try {
  await start();
  await worklist();
  if (everything) await importResults();
  await viewer();
  if (everything) await attempt("an answer", phantomAnswer);
  await attempt("an answer about a radiograph", radiographAnswer);
  await otherScreens();
  if (everything) await upkeep();
} finally {
  await browser.close();
  host.kill("SIGTERM");
  await once(host, "exit");
  await rm(folder, { recursive: true, force: true });
}
