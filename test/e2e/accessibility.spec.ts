import type { Locator, Page } from "@playwright/test";
import { expect, makeArchive, openStudy, test } from "./app-test.ts";
import { violations } from "./violations.ts";

test.use({ data: "new" });

for (const theme of ["Dark", "Light"] as const) {
  test(`every screen keeps WCAG AA in the ${theme.toLowerCase()} theme`, async ({ app }) => {
    const { page } = app;
    await expect(page.getByRole("heading", { name: "Make the archive" })).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await makeArchive(page);
    if (theme === "Light") await page.getByRole("button", { name: "Light theme" }).click();
    await expect(page.getByText("No studies yet")).toBeVisible();
    expect(await violations(page)).toEqual([]);

    await page.getByRole("button", { name: /Add the sample study/ }).click();
    await expect(page.getByText(/^Imported \d+ images\./)).toBeVisible({ timeout: 60_000 });
    expect(await violations(page)).toEqual([]);

    await openStudy(page, "CT");
    await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "33");
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Window presets" }).click();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "DICOM header" }).click();
    await expect(page.getByText("PatientName")).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await expect(page.getByRole("dialog", { name: "Keyboard and mouse" })).toBeVisible();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");

    for (const screen of ["Models", "Settings"]) {
      await page.getByRole("button", { name: screen, exact: true }).click();
      await expect(page.getByRole("heading", { name: screen, exact: true })).toBeVisible();
      await expect(page.getByRole("progressbar")).toHaveCount(0, { timeout: 90_000 });
      expect(await violations(page)).toEqual([]);
    }
  });
}

test.describe("with an answer", () => {
  test.use({ data: "mark" });

  test("a card, its evidence and its figures keep WCAG AA in both themes", async ({ app }) => {
    const { page } = app;
    await openStudy(page, "Mark");
    await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "1");
    await page.keyboard.press("a");
    await page.keyboard.type("Is there a mark?");
    await page.keyboard.press("Enter");
    const card = page.getByRole("article");
    await expect(card).toHaveAttribute("data-status", "done", { timeout: 90_000 });
    await card.locator('.sentence[data-state="supported"]').last().press("Enter");
    await expect(page.getByTestId("evidence-region").first()).toBeVisible();
    for (const theme of ["Light", "Dark"]) {
      await page.getByRole("button", { name: `${theme} theme` }).click();
      await expect(page.locator("html")).toHaveAttribute("data-theme", theme.toLowerCase());
      expect(await violations(page)).toEqual([]);
    }
    await card.getByRole("button", { name: "More about this answer" }).press("Enter");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog", { name: "Figures of this answer" })).toBeVisible();
    expect(await violations(page)).toEqual([]);
  });
});

/** What has the focus shows it: a ring that it does not have otherwise. */
async function focusRing(page: Page): Promise<string> {
  return await page.evaluate(() => getComputedStyle(document.activeElement!).boxShadow);
}

test("a study is opened and read with the keyboard alone", async ({ app }) => {
  const { page } = app;
  await makeArchive(page);
  await page.getByRole("button", { name: /Add the sample study/ }).press("Enter");
  await expect(page.getByText(/^Imported \d+ images\./)).toBeVisible({ timeout: 60_000 });
  const open = page.locator("tr.study").filter({ hasText: "CT" }).locator(".study-open");
  // From the search, through the import button and no further than the rows before it.
  await page.getByRole("searchbox", { name: "Search studies" }).focus();
  for (let tabs = 0; tabs < 20 && !(await isFocused(open)); tabs += 1) {
    await page.keyboard.press("Tab");
    expect(await focusRing(page)).not.toBe("none");
  }
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "33");
  await page.keyboard.press("PageDown");
  await expect(page.getByTestId("image-number")).toHaveText("Image 43 / 64");
  await page.keyboard.press("3");
  await expect(page.getByTestId("window")).toHaveText("W 1500 C -600");
  await page.getByRole("separator", { name: "Width of the assistant" }).focus();
  const width = async () => (await page.locator(".viewer-side").boundingBox())!.width;
  const before = await width();
  await page.keyboard.press("ArrowLeft");
  expect(await width()).toBe(before + 16);
  // The key moved the border, not the stack.
  await expect(page.getByTestId("image-number")).toHaveText("Image 43 / 64");

  // A question, and the answer to it (a refusal is one).
  await page.getByTestId("stage").focus();
  await page.keyboard.press("a");
  await page.keyboard.type("What do you see?");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("article", { name: "Answer to: What do you see?" })).toHaveAttribute(
    "data-status",
    "done",
    { timeout: 90_000 },
  );
});

async function isFocused(element: Locator): Promise<boolean> {
  return await element.evaluate((node) => node === document.activeElement);
}
