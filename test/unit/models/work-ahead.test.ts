import { expect, test } from "vitest";
import { WorkAhead } from "../../../models/work-ahead.ts";

const never = new AbortController().signal;

/** Work that goes on until it is stopped, and tells when it began and ended. */
function endless(told: string[], name: string) {
  return async (signal: AbortSignal) => {
    told.push(`${name} begins`);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    // It takes a moment to let go.
    await new Promise(setImmediate);
    told.push(`${name} ends`);
  };
}

test("the newest work ends the one before, and only then begins", async () => {
  const told: string[] = [];
  const ahead = new WorkAhead();
  const first = ahead.start(endless(told, "one"), never);
  await new Promise(setImmediate);
  const second = ahead.start(endless(told, "two"), never);
  await first;
  await ahead.stop();
  await second;
  expect(told).toEqual(["one begins", "one ends", "two begins", "two ends"]);
});

test("of many that come at once the last is done, and a stop waits for it", async () => {
  const told: string[] = [];
  const ahead = new WorkAhead();
  const all = ["one", "two", "three"].map((name) => ahead.start(endless(told, name), never));
  await new Promise(setImmediate);
  await ahead.stop();
  expect(told.at(-1)).toBe("three ends");
  await Promise.all(all);
});

test("a failure is not told, and the caller's signal ends it", async () => {
  const ahead = new WorkAhead();
  await ahead.start(() => Promise.reject(new Error("no")), never);
  const told: string[] = [];
  const controller = new AbortController();
  const work = ahead.start(endless(told, "one"), controller.signal);
  await new Promise(setImmediate);
  controller.abort();
  await work;
  expect(told).toEqual(["one begins", "one ends"]);
});
