import path from "node:path";
import { expect, makeArchive, openStudy, test } from "./app-test.ts";
import { madeFile, writeInto } from "./files.ts";
import { violationsInBothThemes } from "./violations.ts";

test.use({ data: "new" });

test("an import says what was taken, what was there, and what was refused or taken in part, and why", async ({
  app,
}) => {
  const { page } = app;
  await makeArchive(page);
  const input = path.join(app.folder, "in");
  const report = page.getByRole("region", { name: "Import" });
  const give = (files: readonly string[]) => page.getByTestId("import-files").setInputFiles([...files]);

  const first = await writeInto(input, "1.dcm", madeFile({ instance: 1 }));
  await give([first]);
  await expect(report).toContainText("Imported 1 image.");

  const many = madeFile({ instance: 2, frames: 3 });
  await give([
    first,
    await writeInto(input, "cut.dcm", many.subarray(0, many.length - 64 * 64 - 8)),
    await writeInto(input, "changed.dcm", madeFile({ instance: 1, value: 90 })),
    await writeInto(input, "letter.txt", Buffer.from("Dear colleague, nothing to see.")),
    await writeInto(
      input,
      "broken.dcm",
      Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), Buffer.alloc(9)]),
    ),
    await writeInto(input, "empty.zip", Buffer.concat([Buffer.from("PK\u0003\u0004"), Buffer.alloc(60)])),
  ]);
  await expect(report).toContainText("Imported 1 image. 1 was there already. 1 file is not DICOM.");
  const group = (title: string) => report.locator("details").filter({ hasText: title });
  const refused = group("2 files could not be read");
  await expect(refused).toContainText("broken.dcm");
  await expect(refused).toContainText("dicom-damaged");
  await expect(refused).toContainText("zip-damaged");
  const part = group("1 file cannot be shown as a whole");
  await expect(part).toContainText("The file ends too early: 1 of 3 images are whole.");
  await expect(part).toContainText("cut.dcm");
  const conflict = group("1 file has the identifier of another image and other content");
  await expect(conflict).toContainText("changed.dcm");
  // Groups fold up.
  await refused.locator("summary").click();
  await expect(refused.getByText("broken.dcm")).toBeHidden();
  await refused.locator("summary").click();
  expect(await violationsInBothThemes(page)).toEqual([]);

  await conflict.getByRole("button", { name: "Compare them" }).click();
  await expect(page.getByRole("dialog", { name: "More than one file for an image" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Close the import report" }).click();
  await expect(report).toHaveCount(0);
  // The stack opens in its middle, which is a missing image here; the others are shown.
  await openStudy(page, "Kowalska");
  await expect(page.getByText("The file ends before frame 2 is whole.")).toBeVisible();
  await page.keyboard.press("Home");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "1");
});

test("an import that stops offers to try again, and can be put away", async ({ app }) => {
  test.skip(app.hostPid() === null, "the archive process cannot be reached here");
  const { page } = app;
  await makeArchive(page);
  const input = path.join(app.folder, "in");
  const file = await writeInto(input, "1.dcm", madeFile({ instance: 1 }));
  const report = page.getByRole("region", { name: "Import" });
  // The connection of the page breaks for one request.
  await page.route("**/api/imports.finish", (route) => route.abort(), { times: 1 });
  await page.getByTestId("import-files").setInputFiles([file]);
  await expect(report.getByRole("alert")).toContainText("The import stopped");
  await report.getByRole("button", { name: "Try again" }).click();
  await expect(report).toContainText("Imported 1 image.");
});
