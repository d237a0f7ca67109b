import path from "node:path";
import { expect, openStudy, test } from "./app-test.ts";
import { childPid, held } from "./children.ts";
import { makeMarkFile } from "./mark-study.ts";

test.use({ data: "mark" });

test("an import is cancelled, says so, and the next one runs", async ({ app }) => {
  const { page } = app;
  await expect(page.locator("tr.study")).toHaveCount(1);
  const pid = childPid(app.hostPid(), "archive");
  test.skip(pid === null, "the process of the archive cannot be held still here");
  const files: string[] = [];
  for (let number = 2; number < 8; number += 1) {
    files.push(await makeMarkFile(app.folder, { patient: `Many^${number}`, id: `MARK-${number}` }));
  }
  const report = page.getByRole("region", { name: "Import" });
  // Held still, so that it cannot be over before the button is pressed.
  await held(pid!, async () => {
    await page.getByTestId("import-files").setInputFiles(files);
    await report.getByRole("button", { name: "Cancel" }).click();
  });
  await expect(report).toContainText("Import cancelled.");
  await page.getByRole("button", { name: "Close the import report" }).click();

  await page.getByTestId("import-files").setInputFiles(path.join(app.folder, "MARK-2.dcm"));
  await expect(report).toContainText(/Imported 1 image\.|was there already/);
  await openStudy(page, "Many");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "1");
});
