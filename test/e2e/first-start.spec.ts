import { expect, test } from "./app-test.ts";

test.use({ data: "new" });

test("a passphrase guards the archive, and the recovery key opens it without one", async ({ app }) => {
  const { page } = app;
  await page.getByText("A passphrase").click();
  await page.getByLabel("Passphrase", { exact: true }).fill("correct horse");
  await page.getByLabel("Passphrase again").fill("correct house");
  await page.getByRole("button", { name: "Make the archive" }).click();
  await expect(page.getByText("The two passphrases differ.")).toBeVisible();
  await page.getByLabel("Passphrase again").fill("correct horse");
  await page.getByRole("button", { name: "Make the archive" }).click();

  const key = page.locator(".recovery-key");
  await expect(key).toBeVisible();
  const recoveryKey = (await key.textContent())!;
  // Shown once: without the tick nobody gets past it by mistake.
  await expect(page.getByRole("button", { name: "Continue" })).toBeDisabled();
  await page.getByRole("checkbox", { name: /safe place/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText("No studies yet")).toBeVisible();

  await app.restart();
  const again = app.page;
  await expect(again.getByRole("heading", { name: "The archive is locked" })).toBeVisible();
  await again.getByLabel("Passphrase").fill("wrong passphrase");
  await again.getByRole("button", { name: "Unlock" }).click();
  await expect(again.getByRole("alert")).toContainText("wrong-passphrase");
  await again.getByLabel("Passphrase").fill("correct horse");
  await again.getByRole("button", { name: "Unlock" }).click();
  await expect(again.getByText("No studies yet")).toBeVisible();

  await app.restart();
  const third = app.page;
  await third.getByRole("button", { name: "Use the recovery key" }).click();
  await third.getByLabel("Recovery key").fill(recoveryKey);
  await third.getByLabel("New passphrase", { exact: true }).fill("battery staple");
  await third.getByLabel("New passphrase again").fill("battery staple");
  await third.getByRole("button", { name: "Open the archive" }).click();
  await expect(third.getByText("No studies yet")).toBeVisible();
});

test("an address works once: a second window needs its own", async ({ app }, testInfo) => {
  test.skip(testInfo.project.name === "electron", "the desktop window has no address");
  const { page } = app;
  await expect(page.getByRole("heading", { name: "Make the archive" })).toBeVisible();
  // The key left the address bar when it was used.
  expect(new URL(page.url()).hash).toBe("");
  const second = await page.context().newPage();
  await second.goto(page.url());
  await expect(second.getByText("This window has no key")).toBeVisible();
});
