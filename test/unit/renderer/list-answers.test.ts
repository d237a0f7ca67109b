import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Client } from "../../../core/client.ts";
import type { AnswerRecord } from "../../../core/question.ts";
import type { StudyUid } from "../../../core/study.ts";
import { listAnswers } from "../../../renderer/ask/list-answers.ts";
import { openAnswers, rememberOpen } from "../../../renderer/ask/open-answers.ts";

const study = "1.1" as StudyUid;
const record = (id: string) => ({ id }) as AnswerRecord;

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  });
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A host whose archive holds the answers of each list in turn, the last one from then on. */
function hostWith(...lists: string[][]) {
  let calls = 0;
  const call = async () => lists[Math.min(calls++, lists.length - 1)]!.map(record);
  return { client: { call } as unknown as Client, calls: () => calls };
}

async function listed(client: Client, running: readonly string[] = []) {
  const all: { ids: string[]; lost: string[] }[] = [];
  const options = {
    signal: new AbortController().signal,
    isRunning: (id: string) => running.includes(id),
  };
  const done = (async () => {
    for await (const { records, lost } of listAnswers(client, study, options)) {
      all.push({ ids: records.map(({ id }) => id), lost: lost.map(({ question }) => question) });
    }
  })();
  await vi.runAllTimersAsync();
  await done;
  return all;
}

test("an answer that a reload cut is waited for until the host has saved it", async () => {
  rememberOpen({ id: "b", study, question: "Is there a mark?" });
  const { client, calls } = hostWith(["a"], ["a"], ["a", "b"]);
  expect(await listed(client)).toEqual([
    { ids: ["a"], lost: [] },
    { ids: ["a"], lost: [] },
    { ids: ["a", "b"], lost: [] },
  ]);
  expect(calls()).toBe(3);
  expect(openAnswers()).toEqual([]);
});

test("one that never comes is named, once", async () => {
  rememberOpen({ id: "b", study, question: "Is there a mark?" });
  const { client } = hostWith([]);
  expect((await listed(client)).at(-1)).toEqual({ ids: [], lost: ["Is there a mark?"] });
  expect(await listed(client)).toEqual([{ ids: [], lost: [] }]);
});

test("answers that are still being given, and those of other studies, are not waited for", async () => {
  rememberOpen({ id: "b", study, question: "Is there a mark?" });
  rememberOpen({ id: "c", study: "9.9", question: "Elsewhere" });
  const { client, calls } = hostWith([]);
  await listed(client, ["b"]);
  expect(calls()).toBe(1);
  expect(openAnswers()).toHaveLength(2);
});
