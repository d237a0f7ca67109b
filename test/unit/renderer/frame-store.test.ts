import { describe, expect, test } from "vitest";
import type { InstanceUid } from "../../../core/study.ts";
import { createFrameStore } from "../../../renderer/viewport/frame-store.ts";
import { broken, grey, settle, slowFrames } from "./frames.ts";

const ref = (frame: number) => ({ sopInstanceUid: "1" as InstanceUid, frame });
/** 48 bytes each. */
const frameBytes = 48;

describe("the frame store", () => {
  test("stays within its bound and forgets the least recently used", async () => {
    const source = slowFrames(() => grey());
    const store = createFrameStore(source.client, 2 * frameBytes);
    for (const frame of [1, 2]) {
      const reading = store.read(ref(frame));
      await source.release(`1#${frame}`);
      await reading;
    }
    store.peek(ref(1));
    const third = store.read(ref(3));
    await source.release("1#3");
    await third;
    expect(store.bytes).toBe(2 * frameBytes);
    expect(store.peek(ref(2))).toBeUndefined();
    expect(store.peek(ref(1))).toBeDefined();
  });

  test("keeps a frame that is larger than the bound while it is the newest", async () => {
    const source = slowFrames(() => grey());
    const store = createFrameStore(source.client, 1);
    const reading = store.read(ref(1));
    await source.release("1#1");
    await reading;
    expect(store.peek(ref(1))).toBeDefined();
  });

  test("asks once for a frame that is wanted twice", async () => {
    const source = slowFrames(() => grey());
    const store = createFrameStore(source.client);
    const both = Promise.all([store.read(ref(1)), store.read(ref(1))]);
    await source.release("1#1");
    const [one, other] = await both;
    expect(one.frame).toBe(other.frame);
    expect(source.asked).toEqual(["1#1"]);
  });

  test("reads ahead two at a time and drops what a new list does not name", async () => {
    const source = slowFrames(() => grey());
    const store = createFrameStore(source.client);
    store.prefetch([1, 2, 3, 4].map(ref));
    expect(source.asked).toEqual(["1#1", "1#2"]);
    store.prefetch([ref(9)]);
    await source.release("1#1");
    await settle();
    expect(source.asked).toEqual(["1#1", "1#2", "1#9"]);
  });

  test("a failure is not kept: the next read asks again", async () => {
    let fails = true;
    const source = slowFrames(() => (fails ? broken : grey()));
    const store = createFrameStore(source.client);
    const first = store.read(ref(1));
    const refused = expect(first).rejects.toMatchObject({ code: "pixel-data-damaged" });
    await source.release("1#1");
    await refused;
    fails = false;
    const second = store.read(ref(1));
    await source.release("1#1");
    expect((await second).ref.frame).toBe(1);
  });

  test("a frame of a study that was closed meanwhile is not kept", async () => {
    const source = slowFrames(() => grey());
    const store = createFrameStore(source.client);
    const reading = store.read(ref(1));
    store.clear();
    await source.release("1#1");
    await reading;
    expect(store.bytes).toBe(0);
  });
});
