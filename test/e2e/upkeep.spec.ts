import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Locator, Page } from "@playwright/test";
import { expect, makeArchive, test } from "./app-test.ts";
import { childPid, held } from "./children.ts";
import { madeFile, writeInto } from "./files.ts";
import { violationsInBothThemes } from "./violations.ts";

test.use({ data: "new" });

async function importThree(page: Page, folder: string): Promise<void> {
  const files = [1, 2, 3].map((instance) =>
    writeInto(path.join(folder, "in"), `${instance}.dcm`, madeFile({ instance })),
  );
  await page.getByTestId("import-files").setInputFiles(await Promise.all(files));
  await expect(page.getByRole("region", { name: "Import" })).toContainText("Imported 3 images.");
}

/** The card in Settings. */
async function archiveCard(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  return page.getByRole("region", { name: "Archive" });
}

/** One of the stored images, as the largest files are. */
async function anObject(dataFolder: string): Promise<string> {
  const objects = path.join(dataFolder, "archive", "objects");
  const entries = await readdir(objects, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sized = await Promise.all(
    files.map(async (entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return { file, size: (await readFile(file)).length };
    }),
  );
  return sized.toSorted((a, b) => b.size - a.size)[0]!.file;
}

test("the archive is checked: whole, cancelled, and with a damaged file that is named", async ({ app }) => {
  const { page } = app;
  await makeArchive(page);
  await importThree(page, app.folder);
  const card = await archiveCard(page);
  await card.getByRole("button", { name: "Check the archive" }).click();
  await expect(card).toContainText(/Read 1 study: 3 images, 0 answers, .*Nothing is damaged or missing\./);

  const pid = childPid(app.hostPid(), "archive");
  if (pid !== null) {
    await held(pid, async () => {
      await card.getByRole("button", { name: "Check the archive" }).click();
      await expect(card.getByRole("progressbar", { name: "Checking the archive" })).toBeVisible();
      // It goes on behind another screen.
      await page.getByRole("button", { name: "Studies", exact: true }).click();
      await page.getByRole("button", { name: "Settings", exact: true }).click();
      await expect(card.getByRole("button", { name: "Back up" })).toBeDisabled();
      await card.getByRole("button", { name: "Cancel" }).click();
      await expect(card).toContainText("Cancelled before the end.");
    });
  }

  const object = await anObject(app.env["MEDITRON_DATA"]!);
  const octets = await readFile(object);
  octets[octets.length - 40]! ^= 1;
  await writeFile(object, octets);
  await card.getByRole("button", { name: "Check the archive" }).click();
  await expect(card).toContainText("1 problem");
  await expect(card).toContainText("Kowalska, Anna, P-1, 2026-11-02, CT Thorax");
  await expect(card).toContainText("A stored file of this study is damaged. Import the study again");
  expect(await violationsInBothThemes(page)).toEqual([]);
  // A part of the archive that stops in the middle has a name too.
  const next = childPid(app.hostPid(), "archive");
  if (next === null) return;
  process.kill(next, "SIGSTOP");
  await card.getByRole("button", { name: "Check the archive" }).click();
  process.kill(next, "SIGKILL");
  await expect(card.getByRole("alert")).toContainText("process-lost");
});

test("the archive is backed up, with named errors, and the backup takes its place again", async ({ app }) => {
  const { page } = app;
  await makeArchive(page);
  await importThree(page, app.folder);
  const card = await archiveCard(page);
  const folder = card.getByLabel("Folder for the backup");
  const backup = path.join(app.folder, "backup");
  const backUp = card.getByRole("button", { name: "Back up" });
  await expect(card).toContainText("The key file is not in the backup");
  await expect(backUp).toBeDisabled();

  await folder.fill("backup");
  await backUp.click();
  await expect(card.getByRole("alert")).toContainText("Give the whole path of the folder");
  await folder.fill(path.join(app.folder, "in"));
  await backUp.click();
  await expect(card.getByRole("alert")).toContainText("The folder for the backup is not empty.");
  await folder.fill(path.join(app.env["MEDITRON_DATA"]!, "backup"));
  await backUp.click();
  await expect(card.getByRole("alert")).toContainText("A backup inside the data folder is lost with it.");
  await folder.fill(backup);
  await backUp.click();
  await expect(card).toContainText("Backed up 1 study with 3 images and their answers");
  await expect(card).toContainText(`It lies in ${backup}`);
  expect((await readdir(backup)).toSorted()).toEqual(["archive", "keys.json"]);

  // What came since is not in the backup.
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  const later = await writeInto(path.join(app.folder, "later"), "1.dcm", madeFile({ instance: 1, study: 9 }));
  await page.getByTestId("import-files").setInputFiles([later]);
  await expect(page.locator("tr.study")).toHaveCount(2);

  await archiveCard(page);
  await card.getByRole("button", { name: "Restore a backup" }).click();
  const dialog = page.getByRole("dialog", { name: "Restore a backup" });
  await expect(dialog).toContainText("set-aside");
  const from = dialog.getByLabel("Folder of the backup");
  await from.fill(path.join(app.folder, "later"));
  await dialog.getByRole("button", { name: "Look at the backup" }).click();
  await expect(dialog.getByRole("alert")).toContainText("backup-damaged");
  await from.fill(backup);
  await dialog.getByRole("button", { name: "Look at the backup" }).click();
  await expect(dialog).toContainText(/Made 20\d\d-.*: 1 study with 3 images/);
  await expect(dialog).toContainText("This computer has the key of this backup.");
  expect(await violationsInBothThemes(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Restore in its place" }).click();
  await expect(dialog).toContainText("Restored 1 study with 3 images and their answers");
  await dialog.getByRole("button", { name: "Open the restored archive" }).click();
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  await expect(page.locator("tr.study")).toHaveCount(1);
  expect(await readdir(path.join(app.env["MEDITRON_DATA"]!, "set-aside"))).toHaveLength(1);

  // It stays until somebody deletes it.
  await archiveCard(page);
  const aside = card.getByRole("list", { name: "Archives set aside" });
  await aside.getByRole("button", { name: /^Delete the archive set aside 20\d\d-/ }).click();
  const asked = page.getByRole("dialog", { name: "Delete the archive that was set aside" });
  await expect(asked).toContainText("with its keys, for good");
  expect(await violationsInBothThemes(page)).toEqual([]);
  await asked.getByRole("button", { name: "Keep" }).click();
  expect(await readdir(path.join(app.env["MEDITRON_DATA"]!, "set-aside"))).toHaveLength(1);
  await aside.getByRole("button").click();
  await asked.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(aside).toBeHidden();
  expect(await readdir(path.join(app.env["MEDITRON_DATA"]!, "set-aside"))).toEqual([]);
});

test("a first start takes a backup in, by its passphrase or by the recovery key", async ({ app }) => {
  const { page } = app;
  await page.getByText("A passphrase").click();
  await page.getByLabel("Passphrase", { exact: true }).fill("correct horse");
  await page.getByLabel("Passphrase again").fill("correct horse");
  await page.getByRole("button", { name: "Make the archive" }).click();
  const recoveryKey = (await page.locator(".recovery-key").textContent())!;
  await page.getByRole("checkbox", { name: /safe place/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await importThree(page, app.folder);
  const card = await archiveCard(page);
  const backup = path.join(app.folder, "backup");
  await card.getByLabel("Folder for the backup").fill(backup);
  await card.getByRole("button", { name: "Back up" }).click();
  await expect(card).toContainText("Backed up 1 study with 3 images");

  // As after the loss of the computer: a new data folder, and a backup with a damaged file.
  const data = app.env["MEDITRON_DATA"]!;
  const damaged = path.join(app.folder, "damaged");
  await app.whileClosed(async () => {
    await rm(data, { recursive: true });
    await mkdir(data);
    await cp(backup, damaged, { recursive: true });
    await rm(await anObject(damaged));
  });
  const fresh = app.page;
  await fresh.getByRole("button", { name: "Restore from a backup" }).click();
  await fresh.getByLabel("Folder of the backup").fill(damaged);
  await fresh.getByRole("button", { name: "Look at the backup" }).click();
  await expect(fresh.getByText(/It needs the passphrase that the archive had/)).toBeVisible();
  const passphrase = fresh.getByLabel("Passphrase of the backup");
  await passphrase.fill("wrong horse");
  const restore = fresh.getByRole("button", { name: "Restore", exact: true });
  await restore.click();
  await expect(fresh.getByRole("alert")).toContainText("wrong-passphrase");
  await passphrase.fill("correct horse");
  await restore.click();
  await expect(fresh.getByRole("alert")).toContainText("backup-damaged");
  expect(await violationsInBothThemes(fresh)).toEqual([]);
  // Nothing was restored: what is whole can be taken on purpose. The whole backup is better.
  await expect(fresh.getByRole("checkbox", { name: /Take what is whole/ })).toBeVisible();
  await fresh.getByLabel("Folder of the backup").fill(backup);
  await fresh.getByRole("button", { name: "Look at the backup" }).click();
  await fresh.getByRole("button", { name: "Use the recovery key" }).click();
  await fresh.getByLabel("Recovery key").fill(recoveryKey);
  await restore.click();
  await expect(fresh.getByText("Restored 1 study with 3 images")).toBeVisible();
  await expect(fresh.getByText("It was opened by the recovery key.")).toBeVisible();
  await fresh.getByRole("button", { name: "Open the restored archive" }).click();
  await expect(fresh.locator("tr.study")).toHaveCount(1);
});
