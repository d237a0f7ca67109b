import { expect, test } from "vitest";
import type { EvaluationEvent } from "../../../core/evaluation.ts";
import { benchPack } from "../../../models/bench/bench-pack.ts";
import { never } from "./tiny-model.ts";
import { openTinyPack } from "./tiny-pack.ts";

/** The tiny pack has no folder, from which "bandwidth" would read its graph. */
const all = { parts: ["text", "image", "evidence"], warmUp: true, threads: 1 } as const;

test("a pack is measured with what its context holds, and progress is told", async () => {
  const pack = await openTinyPack();
  const events: EvaluationEvent[] = [];
  try {
    for await (const event of benchPack({ ...pack, answering: pack }, { ...all, rounds: 1 }, never))
      events.push(event);
  } finally {
    await pack.dispose();
  }
  const done = events.at(-1);
  if (done?.type !== "done") throw new Error("no report");
  const fractions = events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  const { ours } = done.report["engines"] as { ours: Record<string, number> };
  const { contextLength } = pack.language;
  const contexts = [128, 1024, 3000].filter((context) => context + 32 <= contextLength);
  const expected = [
    `prefill@${Math.min(512, contextLength - 32)}`,
    ...contexts.map((context) => `decode@${context}`),
    "first_token_image_ms",
    "follow_up_ms",
    "follow_up_written_ms",
    "grounding_sentence_ms",
    "evaluations",
    "evaluation_ms",
    "rss_mb",
  ];
  expect(Object.keys(ours)).toEqual(expected);
  for (const value of Object.values(ours)) expect(value).toBeGreaterThanOrEqual(0);
  expect(ours["evaluations"]).toBeGreaterThan(1);
});

test("of a language model alone, reading and saying text is measured", async () => {
  const pack = await openTinyPack();
  const { summary, folder, provider, language } = pack;
  const subject = { summary, folder, provider, language, answering: null };
  let report: Record<string, unknown> = {};
  for await (const event of benchPack(subject, { ...all, rounds: 1 }, never)) {
    if (event.type === "done") ({ report } = event);
  }
  await pack.dispose();
  const { ours } = report["engines"] as { ours: Record<string, number> };
  const names = Object.keys(ours);
  expect(names).toContain("rss_mb");
  expect(names.filter((name) => !/^(prefill|decode)@/.test(name))).toEqual(["rss_mb"]);
  expect(names.length).toBeGreaterThan(1);
});

test("a stop ends it between two runs", async () => {
  const pack = await openTinyPack();
  const stop = new AbortController();
  const measuring = benchPack({ ...pack, answering: pack }, { ...all, rounds: 100 }, stop.signal);
  await measuring.next();
  stop.abort();
  await expect(measuring.next()).rejects.toMatchObject({ code: "cancelled" });
  // The pack still answers.
  expect(await pack.language.embed([1], never)).toHaveLength(pack.language.hidden);
  await pack.dispose();
});
