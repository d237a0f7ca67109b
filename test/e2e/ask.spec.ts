import type { Page } from "@playwright/test";
import { expect, type OpenApp, openStudy, test } from "./app-test.ts";
import { childPid, held } from "./children.ts";
import { expectEvidenceOnMark } from "./evidence-pixels.ts";
import { makeMarkFile, mark } from "./mark-study.ts";

test.use({ data: "mark" });

const question = "Is there a mark?";
const card = (page: Page, asked = question) => page.getByRole("article", { name: `Answer to: ${asked}` });

async function openMark(page: Page): Promise<void> {
  await openStudy(page, "Mark");
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "1");
}

async function ask(page: Page, asked = question): Promise<void> {
  await page.getByRole("textbox", { name: "Question about this image" }).fill(asked);
  await page.getByRole("button", { name: "Ask", exact: true }).click();
}

async function showSentence(page: Page, state = "supported"): Promise<void> {
  const sentence = card(page).locator(`.sentence[data-state="${state}"]`).last();
  await sentence.click();
  await expect(sentence).toHaveAttribute("aria-pressed", "true");
}

/** The first question starts the process of the models. */
const started = { timeout: 60_000 };
const done = { timeout: 90_000 };

test("an answer streams, its sentence shows the region it rests on, and a restart finds it again", async ({
  app,
}) => {
  const { page } = app;
  await openMark(page);
  await ask(page);
  await expect(card(page).getByText("Yes.")).toBeVisible(started);
  await expect(card(page)).toHaveAttribute("data-status", "done", done);
  await showSentence(page);
  await expect(page.getByTestId("evidence-words")).toHaveText("Rests on this region (tested)");
  await expectEvidenceOnMark(page);

  // The evidence follows the image.
  await page.keyboard.press("h");
  await page.keyboard.press("t");
  await page.keyboard.press("+");
  await expectEvidenceOnMark(page);
  await page.keyboard.press("r");

  await app.restart();
  await openMark(app.page);
  await expect(card(app.page)).toHaveAttribute("data-status", "done");
  await showSentence(app.page);
  await expectEvidenceOnMark(app.page);
});

test.describe("with a pack that was never calibrated", () => {
  test.use({ data: "uncalibrated" });

  test("the same region is a candidate: dashed, and said not to be tested", async ({ app }) => {
    const { page } = app;
    await openMark(page);
    await ask(page);
    await expect(card(page)).toHaveAttribute("data-status", "done", done);
    await showSentence(page, "uncalibrated");
    await expect(card(page).locator('.sentence[aria-pressed="true"]')).toContainText("Not tested");
    await expect(page.getByTestId("evidence-words")).toHaveText("Not tested");
    await expect(page.getByTestId("evidence-region")).toHaveCount(0);
    const dashes = await page
      .getByTestId("candidate-region")
      .first()
      .evaluate((box) => getComputedStyle(box).strokeDasharray);
    expect(dashes).not.toBe("none");
    await expectEvidenceOnMark(page, "candidate");
  });
});

test("a marked region is all that the model sees, and the card says so", async ({ app }) => {
  const { page } = app;
  await openMark(page);
  await page.keyboard.press("e");
  const box = (await page.getByTestId("stage").boundingBox())!;
  // The lower left quarter of the stage: the mark lies in the upper right of the image.
  await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.6);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.7);
  await page.mouse.move(box.x + box.width * 0.45, box.y + box.height * 0.95);
  await page.mouse.up();
  await expect(page.getByTestId("drawn-region")).toHaveCount(1);
  await expect(page.getByText("The model will see the marked region alone.")).toBeVisible();
  await ask(page);
  await expect(card(page).getByText("No.")).toBeVisible(started);
  await expect(card(page)).toHaveAttribute("data-status", "done", done);
  await expect(card(page)).toContainText("part of the image");
  const [record] = await savedAnswers(page);
  const crop = record!.answer.views[0]!.crop!;
  expect(crop.x + crop.width).toBeLessThan(mark.x);
  expect(crop.y).toBeGreaterThan(mark.y + mark.height);

  await page.getByRole("button", { name: "Whole image" }).click();
  await expect(page.getByTestId("drawn-region")).toHaveCount(0);
  await ask(page, "Is there a mark now?");
  await expect(card(page, "Is there a mark now?").getByText("Yes.")).toBeVisible();
});

test("a card stays with the study it was asked about while another one is opened", async ({ app }) => {
  const { page } = app;
  const other = await makeMarkFile(app.folder, { patient: "Other^Made", id: "OTHER-2" });
  // Through the page's own host: one archive has one owner.
  await page.getByTestId("import-files").setInputFiles(other);
  await expect(page.getByText("Imported 1 image.")).toBeVisible();
  const pid = await modelsOf(app);
  test.skip(pid === null, "the process of the models cannot be held still here");
  await openMark(page);
  await held(pid!, async () => {
    await ask(page);
    await expect(card(page).getByRole("progressbar")).toBeVisible();
    await openStudy(page, "Other");
    await expect(page.locator(".corner-top-left")).toContainText("Other, Made");
    await expect(page.getByRole("article")).toHaveCount(0);
  });
  await openMark(page);
  await expect(card(page)).toHaveAttribute("data-status", "done", done);
  await expect(card(page)).toContainText("Mark, Made");
  await expect(card(page)).toContainText("MARK-1");
  await openStudy(page, "Other");
  await expect(page.locator(".corner-top-left")).toContainText("Other, Made");
  await expect(page.getByRole("article")).toHaveCount(0);
});

test("copied text says what it is, of whom, by which model and when", async ({ app }, testInfo) => {
  test.skip(testInfo.project.name === "electron", "the clipboard of the desktop is not the test's");
  const { page } = app;
  await openMark(page);
  await ask(page);
  await expect(card(page)).toHaveAttribute("data-status", "done", done);
  await card(page).getByRole("button", { name: "Copy" }).click();
  await expect(page.getByText("Copied with patient, model and date.")).toBeVisible();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  const [record] = await savedAnswers(page);
  const { pack } = record!.answer;
  for (const part of [
    "AI, research use only",
    `${pack.name} ${pack.version} (${pack.digest.slice(0, 12)})`,
    "Mark, Made",
    "MARK-1",
    question,
    new Date().toISOString().slice(0, 8),
  ]) {
    expect(text).toContain(part);
  }
});

test("a reload in the middle of an answer keeps what was said, and it can be tested on", async ({ app }) => {
  const { page } = app;
  await openMark(page);
  const reloaded = page.waitForEvent("load", started);
  await onceTesting(page, () => void page.reload());
  await ask(page);
  await reloaded;
  await expect(page.getByTestId("stage")).toHaveAttribute("data-shown", "1");
  await expect(card(page).getByText("Yes.")).toBeVisible();
  await expect(card(page)).toHaveAttribute("data-status", "done");
  await card(page).getByRole("button", { name: "Test the evidence" }).click();
  await expect(card(page).locator('.sentence[data-state="supported"]')).not.toHaveCount(0, done);
});

test("a running answer is stopped, and the next question is answered", async ({ app }) => {
  const { page } = app;
  const pid = await modelsOf(app);
  test.skip(pid === null, "the process of the models cannot be held still here");
  await openMark(page);
  await held(pid!, async () => {
    await ask(page);
    await card(page).getByRole("button", { name: "Stop" }).click();
    await expect(card(page).getByText("Stopped. The answer is not complete.")).toBeVisible();
  });
  await ask(page, "Is there a mark now?");
  await expect(card(page, "Is there a mark now?").getByText("Yes.")).toBeVisible(started);
});

test("when the process of the models dies the card says so, and the next question is answered", async ({
  app,
}) => {
  const { page } = app;
  const pid = await modelsOf(app);
  test.skip(pid === null, "the process of the models cannot be killed by its id here");
  await openMark(page);
  // It has answered and is at work on the evidence.
  await onceTesting(page, () => process.kill(pid!, "SIGKILL"));
  await ask(page);
  await expect(card(page).getByRole("alert")).toContainText("A part of the app stopped", started);
  await expect(card(page).getByText("Yes.")).toBeVisible();
  await ask(page, "Is there a mark now?");
  await expect(card(page, "Is there a mark now?").getByText("Yes.")).toBeVisible(started);
});

/**
 * Calls once an answer is given and its evidence is being tested. The page itself looks out for it: the test of so
 * small a model is over before another process has looked twice.
 */
async function onceTesting(page: Page, call: () => void): Promise<void> {
  await page.exposeFunction("testingBegan", call);
  await page.evaluate(() => {
    const { testingBegan } = globalThis as unknown as { testingBegan: () => void };
    const observer = new MutationObserver(() => {
      if (!document.querySelector('article[data-status="testing"]')) return;
      observer.disconnect();
      testingBegan();
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

/** The models process of the app; the first thing that needs it starts it. */
async function modelsOf(app: OpenApp): Promise<number | null> {
  await app.page.getByRole("button", { name: "Models", exact: true }).click();
  await expect(app.page.getByRole("heading", { name: "Known answer" })).toBeVisible(started);
  await app.page.getByRole("button", { name: "Studies", exact: true }).click();
  return childPid(app.hostPid(), "models");
}

interface SavedAnswer {
  readonly answer: {
    readonly pack: { readonly name: string; readonly version: string; readonly digest: string };
    readonly views: readonly {
      readonly crop: { x: number; y: number; width: number; height: number } | null;
    }[];
  };
}

/** The answers of the mark's study as the archive holds them, by the page's own session. */
async function savedAnswers(page: Page): Promise<SavedAnswer[]> {
  return await page.evaluate(async () => {
    const bearer = sessionStorage.getItem("meditron-bearer");
    const post = async (name: string, input: object) => {
      const response = await fetch(`/api/${name}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
        },
        body: JSON.stringify(input),
      });
      return (await response.json()) as never;
    };
    const studies: { studyInstanceUid: string; patientId: string }[] = await post("studies.list", {});
    const { studyInstanceUid } = studies.find(({ patientId }) => patientId === "MARK-1")!;
    return await post("answers.list", { studyInstanceUid });
  });
}
