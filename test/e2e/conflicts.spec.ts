import path from "node:path";
import { element } from "../fixtures/dicom/build-dicom.ts";
import { expect, makeArchive, openStudy, settledLevels, test } from "./app-test.ts";
import { madeFile, writeInto } from "./files.ts";
import { violationsInBothThemes } from "./violations.ts";

test.use({ data: "new" });

test("a second file of an image is marked, compared, shown instead, and taken back", async ({ app }) => {
  const { page } = app;
  await makeArchive(page);
  const input = path.join(app.folder, "in");
  const report = page.getByRole("region", { name: "Import" });
  const files = [1, 2, 3].map((instance) => writeInto(input, `${instance}.dcm`, madeFile({ instance })));
  await page.getByTestId("import-files").setInputFiles(await Promise.all(files));
  await expect(report).toContainText("Imported 3 images.");
  await expect(page.getByRole("button", { name: "1 conflict" })).toHaveCount(0);
  const changed = madeFile({
    instance: 2,
    value: 90,
    more: [element(0x00281050, "DS", "90"), element(0x00281051, "DS", "181")],
  });
  await page.getByTestId("import-files").setInputFiles([await writeInto(input, "changed.dcm", changed)]);
  await expect(report).toContainText("1 file has the identifier of another image");
  await page.getByRole("button", { name: "Close the import report" }).click();

  const dialog = page.getByRole("dialog", { name: "More than one file for an image" });
  await page.getByRole("button", { name: "1 conflict" }).click();
  await expect(dialog.getByTestId("conflict")).toHaveCount(1);
  await expect(dialog).toContainText("CT, series 3 Lung, image 2 of 3");
  await expect(dialog).toContainText("the pixels differ, 2 header fields differ");
  await expect(dialog.getByRole("row", { name: /WindowCenter/ })).toContainText("90");
  await expect(dialog.getByText("Shown in the study")).toBeVisible();
  await expect(dialog.getByText("It came first.")).toBeVisible();
  await expect(dialog.getByText("Kept beside it")).toBeVisible();
  await expect(dialog.locator("canvas")).toHaveCount(2);
  expect(await violationsInBothThemes(page)).toEqual([]);
  await page.keyboard.press("Escape");

  await openStudy(page, "Kowalska");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "2");
  const before = await settledLevels(page);
  // The series has the mark too.
  await page.getByRole("navigation", { name: "Series" }).getByRole("button", { name: "1 conflict" }).click();
  await dialog.getByRole("button", { name: "Show this one" }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "2");
  await expect(page.getByTestId("window")).toHaveText("W 181 C 90");
  const after = await settledLevels(page);
  expect(after.levels).not.toEqual(before.levels);

  // It stays over a restart, and says that somebody chose.
  await app.restart();
  const again = app.page;
  await again.getByRole("button", { name: "1 conflict" }).click();
  const other = again.getByRole("dialog", { name: "More than one file for an image" });
  await expect(other.getByText(/^Chosen \d{4}-\d\d-\d\d \d\d:\d\d\.$/)).toBeVisible();
  await other.getByRole("button", { name: "Show this one" }).click();
  await expect(again.getByText("The study shows this file now.")).toBeVisible();
  await again.keyboard.press("Escape");
  await openStudy(again, "Kowalska");
  await expect(again.getByTestId("stage")).toHaveAttribute("data-shown", "2");
  await expect(again.getByTestId("window")).not.toHaveText("W 181 C 90");
});
