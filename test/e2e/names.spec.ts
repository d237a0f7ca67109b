import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type BrowserContext, chromium, expect, type Page, test } from "@playwright/test";
import { element } from "../fixtures/dicom/build-dicom.ts";
import { filesWithTexts } from "../unit/archive/store/test-archive.ts";
import { makeArchive } from "./app-test.ts";
import { killBrowser } from "./browser-process.ts";
import { childPid } from "./children.ts";
import { madeFile, writeInto } from "./files.ts";
import { type Host, makeFolder, startHost } from "./host.ts";

/**
 * What names a patient stands nowhere in the open after a whole session in a browser: not in the browser's profile,
 * nor in the data folder, the temporary folder, the logs or the spool; also when everything was killed in the middle
 * of an import.
 */

const patient = {
  name: "Wiśniewska^Bożena",
  id: "PID-882244",
  birthDate: "19470311",
  accession: "ACC-990044",
};
/** 山田 as ISO 2022 IR 87 has it: the file's own octets are neither UTF-8 nor UTF-16. */
const japanese = Uint8Array.of(0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42);

interface Session {
  readonly root: string;
  readonly profile: string;
  readonly env: NodeJS.ProcessEnv;
  host: Host;
  context: BrowserContext;
  page: Page;
}

let session: Session;

// Playwright wants the pattern, even an empty one.
// oxlint-disable-next-line no-empty-pattern
test.beforeEach(async ({}, testInfo) => {
  test.skip(testInfo.project.name === "electron", "the browser's profile is what is searched");
  const { folder: root, env } = await makeFolder();
  const temporary = path.join(root, "tmp");
  await mkdir(temporary);
  const given = { folder: root, env: { ...env, TMPDIR: temporary } };
  const host = await startHost(given);
  const profile = path.join(root, "profile");
  const { executablePath, args } = testInfo.project.use.launchOptions ?? {};
  const context = await chromium.launchPersistentContext(profile, {
    ...(executablePath ? { executablePath } : {}),
    // Playwright's own: a profile that keeps what a user's keeps.
    ignoreDefaultArgs: ["--disable-back-forward-cache", "--password-store=basic"],
    args: [...(args ?? [])],
    env: { ...process.env, TMPDIR: temporary } as Record<string, string>,
    viewport: { width: 1366, height: 768 },
  });
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(host.url);
  session = { root, profile, env: given.env, host, context, page };
});

test.afterEach(async () => {
  if (!session) return;
  await session.context.close().catch(() => undefined);
  await session.host.stop();
  await rm(session.root, { recursive: true, force: true, maxRetries: 5 });
});

async function writeFiles(count: number): Promise<string[]> {
  const input = path.join(session.root, "in", patient.id);
  const files: string[] = [];
  for (let instance = 1; instance <= count; instance += 1) {
    const isJapanese = instance % 2 === 0;
    const octets = madeFile({
      instance,
      study: isJapanese ? 7 : 8,
      id: patient.id,
      side: 256,
      more: [
        element(0x00080005, "CS", isJapanese ? "\\ISO 2022 IR 87" : "ISO_IR 192"),
        element(0x00080050, "SH", patient.accession),
        element(0x00100030, "DA", patient.birthDate),
      ],
      name: isJapanese ? japanese : patient.name,
    });
    files.push(await writeInto(input, `${patient.name} ${instance}.dcm`, octets));
  }
  return files;
}

/** Everything below the session's folder but the files that were imported. */
async function leaks(): Promise<string[]> {
  const texts = [...patient.name.split("^"), patient.id, patient.birthDate, patient.accession, japanese];
  // As the worklist shows them, which is what a page would keep.
  const shown = ["1947-03-11", "山田"];
  const found = await filesWithTexts(session.root, [...texts, ...shown], {
    except: path.join(session.root, "in"),
  });
  return found.map(({ file, text }) => `${text} in ${path.relative(session.root, file)}`);
}

/** What a radiologist does in a session, names typed where names can be typed. */
async function work(page: Page): Promise<void> {
  const search = page.getByRole("searchbox", { name: "Search studies" });
  await search.pressSequentially("Wiśniewska");
  await expect(page.locator("tr.study")).toHaveCount(1);
  await search.press("Enter");
  await page.locator("tr.study").first().locator(".study-open").click();
  await expect(page.getByTestId("stage")).not.toHaveAttribute("data-shown", "");
  await page.getByRole("button", { name: "DICOM header" }).click();
  await expect(page.getByText("PatientName", { exact: true })).toBeVisible();
  await page.getByRole("searchbox", { name: "Search the header" }).pressSequentially("Bożena");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  const question = page.getByRole("textbox", { name: "Question about this image" });
  await question.pressSequentially(`Was ${patient.id} seen before?`);
  await expect(question).toHaveValue(/PID-882244/);
  // A reload writes what the browser keeps of a page: its history, its form fields, its session.
  await page.reload();
  await expect(page.getByTestId("stage")).not.toHaveAttribute("data-shown", "");
  await page.getByRole("button", { name: "Studies", exact: true }).click();
  await search.pressSequentially(patient.accession);
  await page.reload();
  await expect(page.locator("tr.study").first()).toBeVisible();
  await search.pressSequentially(patient.birthDate);
}

test("the browser's profile holds nothing that names a patient, and a planted copy is found", async () => {
  const { page, context, profile, root } = session;
  await makeArchive(page);
  await page.getByTestId("import-files").setInputFiles(await writeFiles(6));
  await expect(page.getByText(/^Imported 6 images\./)).toBeVisible();
  await work(page);
  expect(await leaks()).toEqual([]);
  await context.close();
  await session.host.stop();
  const written = await readdir(profile, { recursive: true });
  expect(written.length).toBeGreaterThan(20);
  expect(await leaks()).toEqual([]);

  for (const [name, planted] of [
    ["profile/Default/Planted", Buffer.from(`xx${patient.name.split("^")[0]}`, "utf16le")],
    ["profile/Default/Cache/planted", Buffer.from(patient.accession)],
    ["profile/Default/Session Storage/planted.log", Buffer.from(japanese)],
    ["tmp/planted", Buffer.from(patient.birthDate)],
  ] as const) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), planted);
    expect([name, (await leaks()).length]).toEqual([name, 1]);
    await rm(path.join(root, name));
  }
});

test("what a page does write is found: the search sees the browser's own files", async () => {
  const { page, context } = session;
  await expect(page.getByRole("heading", { name: "Make the archive" })).toBeVisible();
  await page.evaluate((name) => localStorage.setItem("planted", name), patient.id);
  await context.close();
  expect(await leaks()).toEqual([expect.stringMatching(/^PID-882244 in profile\/Default\/Local Storage\//)]);
});

test("nothing is left when browser, host and archive are killed in the middle of an import", async () => {
  const { page, profile, host, env } = session;
  await makeArchive(page);
  const files = await writeFiles(120);
  const sent = page.waitForRequest("**/api/imports.finish");
  await page.getByTestId("import-files").setInputFiles(files);
  await sent;
  const objects = path.join(env["MEDITRON_DATA"]!, "archive", "objects");
  await expect
    .poll(async () => (await readdir(objects).catch((): string[] => [])).length, { intervals: [1] })
    .toBeGreaterThan(5);
  const archive = childPid(host.pid, "archive");
  process.kill(archive!, "SIGKILL");
  process.kill(host.pid, "SIGKILL");
  await killBrowser(profile);
  expect(await leaks()).toEqual([]);
  // The import was really in its middle.
  const stored = await readdir(objects, { recursive: true, withFileTypes: true });
  expect(stored.filter((entry) => entry.name.endsWith(".obj")).length).toBeLessThan(120);

  // Nor after the next start, which clears up.
  const next = await startHost({ folder: session.root, env });
  try {
    expect(await leaks()).toEqual([]);
  } finally {
    await next.stop();
  }
});
