import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { expect, makeArchive, test } from "./app-test.ts";
import { childPid } from "./children.ts";
import { madeFile, writeInto } from "./files.ts";
import { cli } from "./host.ts";
import { violationsInBothThemes } from "./violations.ts";

test.use({ data: "new" });

const count = 160;

/** An import on the command line that is killed when its first files are in the archive, as by a power cut. */
async function cutShort(input: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [cli, "import", input], { env, stdio: "ignore" });
  const objects = path.join(env["MEDITRON_DATA"]!, "archive", "objects");
  const before = (await readdir(objects).catch((): string[] => [])).length;
  await expect
    .poll(async () => (await readdir(objects).catch((): string[] => [])).length - before, {
      intervals: [1],
      timeout: 120_000,
    })
    .toBeGreaterThan(40);
  const archive = childPid(child.pid!, "archive");
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  if (archive !== null) process.kill(archive, "SIGKILL");
  await gone;
}

test("an import that was cut short is offered at the next start, goes on, or is discarded", async ({
  app,
}) => {
  test.skip(app.hostPid() === null, "the desktop window holds the data folder itself");
  await makeArchive(app.page);
  const input = path.join(app.folder, "CD-0412");
  for (let instance = 1; instance <= count; instance += 1) {
    await writeInto(input, `${instance}.dcm`, madeFile({ instance }));
  }
  await app.whileClosed(() => cutShort(input, app.env));
  const { page } = app;
  const notice = page.getByRole("region", { name: "Unfinished imports" });
  await expect(notice).toContainText(
    new RegExp(`An import of CD-0412 was not finished: \\d+ of ${count} files\\.`),
  );
  expect(await violationsInBothThemes(page)).toEqual([]);
  await notice.getByRole("button", { name: "Go on" }).click();
  const report = page.getByRole("region", { name: "Import", exact: true });
  await expect(report).toContainText(/Imported \d+ images?\. \d+ were there already\./, { timeout: 120_000 });
  await expect(notice).toHaveCount(0);
  await expect(page.locator("tr.study")).toContainText(String(count));

  // Once more, from a medium that is not there any more: it stays in the list until it is discarded.
  const second = path.join(app.folder, "CD-0413");
  for (let instance = 1; instance <= count; instance += 1) {
    await writeInto(second, `${instance}.dcm`, madeFile({ instance, study: 8 }));
  }
  await app.whileClosed(() => cutShort(second, app.env));
  await rm(second, { recursive: true });
  const again = app.page;
  const other = again.getByRole("region", { name: "Unfinished imports" });
  await other.getByRole("button", { name: "Go on" }).click();
  await expect(again.getByRole("alert")).toContainText("file-not-found");
  await again.getByRole("button", { name: "Close", exact: true }).click();
  await other.getByRole("button", { name: "Discard" }).click();
  await expect(again.getByText("What it had brought stays in the archive.")).toBeVisible();
  await expect(other).toHaveCount(0);
  await expect(again.locator("tr.study")).toHaveCount(2);
});
