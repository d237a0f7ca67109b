import { existsSync } from "node:fs";
import { cp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Browser, chromium, type Page } from "@playwright/test";
import type { Client } from "../../../core/client.ts";
import type { AnswerEvent } from "../../../core/question.ts";
import { findChromium } from "../../../scripts/find-chromium.mjs";
import { makeFolder, runCli, startHost } from "../../e2e/host.ts";
import { handImage, handStudy } from "../../network/hand-image.ts";
import { openHost } from "./open-host.ts";
import { peaksBelow, type ProcessPeak } from "./memory.ts";
import { scrollThrough, timeToFirstImage } from "./viewing.ts";

/**
 * `npm run -s bench:app`: how fast the built app is and how much memory it takes, as a user meets it: the loopback
 * host and a Chromium window. One JSON object on stdout. Linux only (memory is read from /proc).
 */

const rounds = 3;
const corpus = path.resolve(process.env["MEDITRON_SHARED_DATA"] ?? "../shared/data", "dicom");
const program = findChromium();
if (!program) throw new Error("No Chromium was found. Name one in MEDITRON_CHROMIUM.");
const browserArgs = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic"];

const busy = os.loadavg()[0]!;
const archive = await makeFolder();
try {
  const image = path.join(archive.folder, "hand.dcm");
  await writeFile(image, handImage());
  note("making the archive");
  await runCli(["sample"], archive.env);
  await runCli(["import", image], archive.env);

  note("cold start");
  const starts: ColdStart[] = [];
  for (let round = 0; round < rounds; round += 1) starts.push(await coldStart());
  note("viewing");
  const viewing = await view();
  note("asking");
  const answers = await ask();
  note("importing");
  const imported = existsSync(corpus) ? await importCorpus() : null;
  const result = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${os.cpus().length} x ${os.cpus()[0]!.model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    // Other work on the machine makes every time longer; 0 is an idle machine.
    load_before: Number(busy.toFixed(2)),
    cold_start_ms: medianOf(starts),
    viewing,
    answers,
    import: imported,
  };
  console.log(JSON.stringify(result, rounded));
} finally {
  await rm(archive.folder, { recursive: true, force: true });
}

interface ColdStart {
  /** From starting the host to its address. */
  readonly host: number;
  /** From starting the host to the first paint of the page, browser included. */
  readonly first_paint: number;
  /** To the studies in the worklist. */
  readonly worklist: number;
}

async function coldStart(): Promise<ColdStart> {
  const started = performance.now();
  const host = await startHost(archive);
  const ready = performance.now() - started;
  const browser = await openBrowser();
  try {
    const page = await openPage(browser, host.url);
    await page.locator("tr.study").first().waitFor();
    const worklist = performance.now() - started;
    const paint = await page.evaluate(() => {
      const [first] = performance.getEntriesByName("first-contentful-paint");
      return performance.timeOrigin + (first?.startTime ?? 0);
    });
    return { host: ready, first_paint: paint - (performance.timeOrigin + started), worklist };
  } finally {
    await browser.close();
    await host.stop();
  }
}

/** The 64 slices of the sample CT, first as they come over the door, then from the page's memory. */
async function view() {
  const host = await startHost(archive);
  const server = await chromium.launchServer({ executablePath: program!, args: browserArgs });
  const browser = await chromium.connect(server.wsEndpoint());
  try {
    const page = await openPage(browser, host.url);
    const first = await timeToFirstImage(page, "CT");
    await scrollThrough(page, -1);
    const down = await scrollThrough(page, 1);
    const up = await scrollThrough(page, -1);
    const surface = await page.getByTestId("stage").getAttribute("data-surface");
    return {
      first_image_ms: first,
      surface,
      scroll: { slices: 64, first_pass: down, second_pass: up },
      memory_mib: byName([
        ...(await peaksBelow(host.pid, partOf)),
        ...(await peaksBelow(server.process().pid!, (command) => `chromium ${kindOf(command)}`)),
      ]),
    };
  } finally {
    await browser.close();
    await server.close();
    await host.stop();
  }
}

/** Two questions about a radiograph, with evidence: the first one loads the pack. */
async function ask() {
  const { host, client } = await openHost(archive);
  try {
    const first = await askOnce(client);
    const second = await askOnce(client);
    return { first, second, memory_mib: byName(await peaksBelow(host.pid, partOf)) };
  } finally {
    await host.stop();
  }
}

async function askOnce(client: Client) {
  const { views } = await client.call("answers.views", { target: { uid: handStudy } });
  const started = performance.now();
  let firstToken: number | null = null;
  let lastToken = 0;
  let done: Extract<AnswerEvent, { type: "done" }> | null = null;
  for await (const event of client.stream("answers.ask", { question: "Is there a fracture?", views })) {
    if (event.type === "token") {
      lastToken = performance.now();
      firstToken ??= lastToken;
    }
    if (event.type === "done") done = event;
  }
  const ended = performance.now();
  if (!done || firstToken === null) throw new Error("there was no answer");
  const { timing, pack, provider } = done.answer;
  return {
    pack: `${pack.name} ${pack.version}`,
    provider,
    first_token_ms: firstToken - started,
    evidence_ms: ended - lastToken,
    sentences: done.answer.answer.sentences.length,
    timing,
  };
}

async function importCorpus() {
  const place = await makeFolder();
  const copy = path.join(place.folder, "corpus");
  await cp(corpus, copy, { recursive: true });
  const { host, client } = await openHost(place);
  try {
    await client.call("archive.create", { protection: "key-file" });
    const started = performance.now();
    let done: Record<string, unknown> = {};
    for await (const event of client.stream("imports.paths", { paths: [copy] })) {
      if (event.type === "done") done = { ...event, studies: event.studies.length };
    }
    const seconds = (performance.now() - started) / 1000;
    return { seconds, ...done, memory_mib: byName(await peaksBelow(host.pid, partOf)) };
  } finally {
    await host.stop();
    await rm(place.folder, { recursive: true, force: true });
  }
}

function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: program!, args: browserArgs });
}

async function openPage(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

function partOf(command: string): string {
  if (command.includes("archive/process.js")) return "archive";
  return command.includes("models/process.js") ? "inference" : "host";
}

function kindOf(command: string): string {
  return /--type=([\w-]+)/.exec(command)?.[1] ?? "browser";
}

/** Of several processes of a name the largest. */
function byName(peaks: readonly ProcessPeak[]): Record<string, number> {
  const most: Record<string, number> = {};
  for (const { name, mebibytes } of peaks) most[name] = Math.max(most[name] ?? 0, mebibytes);
  return most;
}

function medianOf(starts: readonly ColdStart[]): ColdStart {
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  return {
    host: median(starts.map(({ host }) => host)),
    first_paint: median(starts.map((start) => start.first_paint)),
    worklist: median(starts.map(({ worklist }) => worklist)),
  };
}

function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(3)) : value;
}

function note(text: string): void {
  console.error(text);
}
