import type { Page } from "@playwright/test";
import { expect, openStudy, test } from "./app-test.ts";

async function open(page: Page, text: string, shown: string): Promise<void> {
  await openStudy(page, text);
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", shown);
}

/** A horizontal drag through the middle of the stage. */
async function dragAcross(page: Page, px: number): Promise<void> {
  const box = (await page.getByTestId("stage").boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x - px / 2, y);
  await page.mouse.down();
  await page.mouse.move(x, y);
  await page.mouse.move(x + px / 2, y);
  await page.mouse.up();
}

test("a length is in mm on a slice, and only in pixels at the detector of a radiograph", async ({ app }) => {
  const { page } = app;
  await open(page, "CT", "33");
  await page.keyboard.press("l");
  await dragAcross(page, 200);
  const bar = (await page.locator(".scale-line").boundingBox())!.width;
  await expect(page.locator(".scale")).toHaveText("10 cm");
  const measured = Number.parseFloat((await page.getByTestId("length").textContent())!);
  expect(measured).toBeGreaterThan((200 / bar) * 100 * 0.99);
  expect(measured).toBeLessThan((200 / bar) * 100 * 1.01);
  await expect(page.getByTestId("length")).toHaveText(/^\d+\.\d mm$/);

  // It belongs to its slice and stays with it.
  await page.keyboard.press("ArrowDown");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "34");
  await expect(page.getByTestId("length")).toHaveCount(0);
  await page.keyboard.press("ArrowUp");
  await expect(page.getByTestId("length")).toHaveCount(1);
  await page.keyboard.press("Delete");
  await expect(page.getByTestId("length")).toHaveCount(0);

  await open(page, "Chest", "1");
  await dragAcross(page, 200);
  await expect(page.getByTestId("length")).toHaveText(/^\d+\.\d px$/);
});

test("the value under the pointer is told, and 1:1 and fit say what they do", async ({ app }) => {
  const { page } = app;
  await open(page, "CT", "33");
  const box = (await page.getByTestId("stage").boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await expect(page.getByTestId("pointer")).toHaveText(/^x 12[78]\s+y 12[78]\s+-?\d+ HU$/);
  // Black beside the image has no value.
  await page.mouse.move(box.x + 5, box.y + box.height / 2);
  await expect(page.getByTestId("pointer")).toHaveCount(0);

  const fitted = await page.getByTestId("zoom").textContent();
  await page.keyboard.press("o");
  await expect(page.getByTestId("zoom")).toHaveText("Zoom 100 %");
  await page.keyboard.press("+");
  await expect(page.getByText("The model will see the part in view, not the whole image.")).toHaveCount(0);
  for (let i = 0; i < 8; i += 1) await page.keyboard.press("+");
  await expect(page.getByText("The model will see the part in view, not the whole image.")).toBeVisible();
  await page.keyboard.press("f");
  await expect(page.getByTestId("zoom")).toHaveText(fitted!);
});

test("the stack plays and stops, and a flip after a turn mirrors what is seen", async ({ app }) => {
  const { page } = app;
  await open(page, "CT", "33");
  await page.keyboard.press("Space");
  await expect(page.getByRole("button", { name: "Stop the stack" })).toBeVisible();
  await expect(page.getByTestId("stage")).not.toHaveAttribute("data-shown", "33");
  await page.keyboard.press("Space");
  await expect(page.getByRole("button", { name: "Play the stack" })).toBeVisible();

  const letters = () => page.locator(".edge").allTextContents();
  expect(await letters()).toEqual(["R", "L", "A", "P"]);
  await page.keyboard.press("t");
  await expect.poll(letters).toEqual(["P", "A", "R", "L"]);
  await page.keyboard.press("h");
  await expect.poll(letters).toEqual(["A", "P", "R", "L"]);
  await page.keyboard.press("v");
  await expect.poll(letters).toEqual(["A", "P", "L", "R"]);
});

test("the help sheet opens by its key and by its button, and the question field by A", async ({ app }) => {
  const { page } = app;
  await open(page, "Hand", "1");
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keyboard and mouse" });
  await expect(sheet).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(sheet).toHaveCount(0);
  await page.getByRole("button", { name: "Help: keyboard and mouse" }).click();
  await expect(sheet).toContainText("Window preset");
  await page.keyboard.press("Escape");

  await page.keyboard.press("a");
  const field = page.getByRole("textbox", { name: "Question about this image" });
  await expect(field).toBeFocused();
  // Letters are typed there and do nothing to the image.
  await page.keyboard.type("hi");
  await expect(field).toHaveValue("hi");
  await expect(page.getByText("Inverted")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await page.keyboard.press("i");
  await expect(page.getByText("Inverted")).toBeVisible();
});
