import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Page } from "@playwright/test";
import {
  expect,
  makeArchive,
  openStudy,
  partDiffering,
  settledLevels,
  type StageLevels,
  stageLevels,
  test,
} from "./app-test.ts";
import { unreadableDicom } from "../../scripts/made-dicom.mjs";
import { runCli } from "./host.ts";

test("a reload comes back to the study that was open", async ({ app }) => {
  const { page } = app;
  await openStudy(page, "CT");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "33");
  await page.reload();
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "33");
});

test("zoom, pan, flip, turn, inversion and reset act on the picture", async ({ app }) => {
  const { page } = app;
  await openStudy(page, "CT");
  const stage = page.getByTestId("stage");
  await expect(stage).toHaveAttribute("data-shown", "33");
  const first = await settledLevels(page);

  await page.keyboard.press("h");
  await expect(page.getByText("Flipped left-right")).toBeVisible();
  const flipped = await settledLevels(page);
  expect(partDiffering(flipped, mirrored(first))).toBeLessThan(partDiffering(flipped, first) / 3);
  await page.keyboard.press("h");

  await page.keyboard.press("i");
  await expect(page.getByText("Inverted")).toBeVisible();
  const inverted = await settledLevels(page);
  const middle = Math.floor(first.height / 2) * first.width + Math.floor(first.width / 2);
  expect(inverted.levels[middle]).toBe(255 - first.levels[middle]!);

  await page.keyboard.press("+");
  await page.keyboard.press("t");
  await expect(page.getByText("Turned 90°")).toBeVisible();
  await page.keyboard.press("p");
  await drag(page, { x: 60, y: 40 });
  await page.keyboard.press("r");
  await expect(page.getByText("Inverted")).toHaveCount(0);
  expect(partDiffering(await settledLevels(page), first)).toBeLessThan(0.001);
});

test("without WebGL the same picture is drawn on the CPU", async ({ app }, testInfo) => {
  test.skip(testInfo.project.name === "electron", "the address of the window cannot be changed");
  const { page } = app;
  await openStudy(page, "CT");
  const stage = page.getByTestId("stage");
  await expect(stage).toHaveAttribute("data-shown", "33");
  await expect(stage).toHaveAttribute("data-surface", "webgl");
  const withWebgl = await settledLevels(page);

  // What a remote desktop does: the browser has no WebGL to give.
  await page.addInitScript(() => {
    const original = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (
      this: HTMLCanvasElement,
      kind: string,
      ...rest: unknown[]
    ) {
      return kind.includes("webgl") ? null : Reflect.apply(original, this, [kind, ...rest]);
    } as typeof original;
  });
  await page.reload();
  await expect(stage).toHaveAttribute("data-shown", "33");
  await expect(stage).toHaveAttribute("data-surface", "cpu");
  expect(partDiffering(await settledLevels(page), withWebgl)).toBeLessThan(0.02);
  await stage.hover();
  await page.mouse.wheel(0, 100);
  await expect(page.getByTestId("image-number")).toHaveText("Image 34 / 64");
});

test("a search finds a study, and deleting asks first", async ({ app }) => {
  const { page } = app;
  const rows = page.locator("tr.study");
  await expect(rows).not.toHaveCount(0);
  const count = await rows.count();
  await page.getByRole("searchbox", { name: "Search studies" }).fill("no such patient");
  await expect(page.getByText("No study matches")).toBeVisible();
  await page.getByRole("button", { name: "Clear the search" }).click();
  await expect(rows).toHaveCount(count);
  await rows
    .first()
    .getByRole("button", { name: /^Delete/ })
    .click();
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(rows).toHaveCount(count);
  await rows
    .first()
    .getByRole("button", { name: /^Delete/ })
    .click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await expect(rows).toHaveCount(count - 1);
});

test.describe("on a first start", () => {
  test.use({ data: "new" });

  test("a folder is imported by upload, opened, scrolled and windowed, and a restart finds it again", async ({
    app,
  }) => {
    const { page } = app;
    await makeArchive(page);
    const folder = path.join(app.folder, "sample");
    await runCli(["sample", "--output", folder], app.env);
    await page.getByTestId("import-folder").setInputFiles(folder);
    await expect(page.getByText(/^Imported \d+ images\./)).toBeVisible({ timeout: 60_000 });
    await expect(page.locator("tr.study").first().getByText("Phantom", { exact: true })).toBeVisible();
    await openStudy(page, "CT");

    const stage = page.getByTestId("stage");
    await expect(page.getByText("PHANTOM, not a patient")).toBeVisible();
    await expect(stage).toHaveAttribute("data-shown", "33");

    await stage.hover();
    await page.mouse.wheel(0, 100);
    await expect(page.getByTestId("image-number")).toHaveText("Image 34 / 64");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    await expect(page.getByTestId("image-number")).toHaveText("Image 32 / 64");
    await page.keyboard.press("End");
    await expect(page.getByTestId("image-number")).toHaveText("Image 64 / 64");
    await page.getByRole("slider", { name: "Image in the series" }).fill("33");
    await expect(page.getByTestId("image-number")).toHaveText("Image 33 / 64");

    const bright = async () => (await stageLevels(page)).levels.filter((level) => level > 200).length;
    await page.getByRole("button", { name: "Window presets" }).click();
    await page.getByRole("menuitemradio", { name: /^Lung/ }).click();
    await expect(page.getByTestId("window")).toHaveText("W 1500 C -600");
    await expect.poll(bright).toBeGreaterThan(1000);
    const inLungWindow = await bright();
    await page.getByRole("button", { name: "Window presets" }).click();
    await page.getByRole("menuitemradio", { name: /^Bone/ }).click();
    await expect(page.getByTestId("window")).toHaveText("W 2500 C 480");
    // Soft tissue is white in a lung window and dark in a bone window.
    await expect.poll(bright).toBeLessThan(inLungWindow / 2);

    await drag(page, { x: 120, y: 0 });
    await expect(page.getByTestId("window")).toHaveText(/^W 4\d\d\d C 480$/);

    await app.restart();
    await openStudy(app.page, "CT");
    await expect(app.page.getByTestId("stage")).toHaveAttribute("data-shown", "33");
  });

  test("what cannot be imported is named with its reason, and the rest is kept", async ({ app }) => {
    const { page } = app;
    await makeArchive(page);
    const broken = path.join(app.folder, "broken.dcm");
    // A preamble and the magic word, then nothing that belongs there.
    await writeFile(broken, Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(40, 0xff)]));
    const letter = path.join(app.folder, "letter.txt");
    await writeFile(letter, "No image.");
    await page.getByTestId("import-files").setInputFiles([broken, letter]);
    const report = page.getByRole("region", { name: "Import" });
    await expect(report).toContainText("No new images.");
    await expect(report).toContainText("broken.dcm");
  });

  test("a dropped file is imported, and pixels that cannot be decoded give their reason", async ({ app }) => {
    const { page } = app;
    await makeArchive(page);
    const dropped = await page.evaluateHandle(
      (octets) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(octets)], "wrist.dcm"));
        return transfer;
      },
      [...unreadableDicom()],
    );
    await page.locator(".studies-screen").dispatchEvent("drop", { dataTransfer: dropped });
    await expect(page.getByText("Imported 1 image.")).toBeVisible();
    await openStudy(page, "Wolfe");
    await expect(page.getByRole("alert")).toContainText("Image 1 cannot be shown");
    await expect(page.getByRole("alert")).toContainText("pixel-data-damaged");
    // Whose image it would be is said all the same, and nothing can be asked about it.
    await expect(page.getByRole("alert")).toContainText("Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine");
    await expect(page.getByRole("button", { name: "Ask", exact: true })).toBeDisabled();
  });
});

async function drag(page: Page, by: { x: number; y: number }): Promise<void> {
  const box = (await page.getByTestId("stage").boundingBox())!;
  const x = box.x + box.width / 2;
  const y = box.y + box.height / 2;
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + by.x / 2, y + by.y / 2);
  await page.mouse.move(x + by.x, y + by.y);
  await page.mouse.up();
}

function mirrored({ width, height, levels }: StageLevels): StageLevels {
  const turned = levels.map((_, at) => levels[at - (at % width) + (width - 1 - (at % width))]!);
  return { width, height, levels: turned };
}
