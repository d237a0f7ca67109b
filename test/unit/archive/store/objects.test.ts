import { copyFile, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createObjectStore, type ObjectId, type ObjectStore } from "../../../../archive/store/objects.ts";
import { chunks, filesBelow, noise, temporaryFolder } from "./test-archive.ts";

const mebibyte = 1024 * 1024;
const header = 40;
const stride = mebibyte + 16;

let folder: string;
let remove: () => Promise<void>;
let objects: ObjectStore;

beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder());
  objects = reopened();
});
afterEach(() => remove());

/** A store of its own has nothing in memory. */
function reopened(): ObjectStore {
  return createObjectStore(folder, Buffer.alloc(32, 1));
}

async function put(content: Buffer): Promise<ObjectId> {
  const id = await objects.stage(content.length, chunks(content));
  await objects.publish([id]);
  return id;
}

function fileOf(id: ObjectId): string {
  return path.join(folder, id.slice(0, 2), `${id}.obj`);
}

async function readAll(id: ObjectId): Promise<Uint8Array> {
  const source = await reopened().open(id);
  return source.read(0, source.size);
}

const damaged = { code: "archive-damaged" };

describe("an object", () => {
  test.each([0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 3 * mebibyte + 17])(
    "of %i octets comes back as it was",
    async (size) => {
      const content = noise(size);
      expect(Buffer.from(await readAll(await put(content))).equals(content)).toBe(true);
    },
  );

  test("is read from anywhere, across segments, and never beyond its end", async () => {
    const content = noise(3 * mebibyte + 17);
    const source = await objects.open(await put(content));
    for (const [offset, length] of [
      [0, 10],
      [mebibyte - 5, 10],
      [mebibyte - 5, mebibyte + 10],
      [content.length - 3, 100],
      [content.length, 1],
    ] as const) {
      const octets = await source.read(offset, length);
      expect(Buffer.from(octets).equals(content.subarray(offset, offset + length))).toBe(true);
    }
  });

  test("is not readable with another key", async () => {
    const id = await put(noise(100));
    const other = createObjectStore(folder, Buffer.alloc(32, 2));
    await expect(other.open(id)).rejects.toMatchObject(damaged);
  });

  test("a frame is read although another segment is damaged", async () => {
    const content = noise(3 * mebibyte);
    const id = await put(content);
    await flip(fileOf(id), header + 2 * stride + 5);
    const source = await reopened().open(id);
    expect(Buffer.from(await source.read(0, mebibyte)).equals(content.subarray(0, mebibyte))).toBe(true);
    await expect(source.read(2 * mebibyte, 1)).rejects.toMatchObject(damaged);
  });
});

describe("damage is named", () => {
  test.each([0, 9, 13, 17, 30, header, header + mebibyte, header + stride + 3])(
    "a flipped bit in octet %i",
    async (position) => {
      const id = await put(noise(2 * mebibyte + 5));
      await flip(fileOf(id), position);
      await expect(readAll(id)).rejects.toMatchObject(damaged);
    },
  );

  test("two segments in each other's place", async () => {
    const id = await put(noise(2 * mebibyte));
    const octets = await readFile(fileOf(id));
    const [first, second] = [octets.subarray(header, header + stride), octets.subarray(header + stride)];
    await writeFile(fileOf(id), Buffer.concat([octets.subarray(0, header), second, first]));
    await expect(readAll(id)).rejects.toMatchObject(damaged);
  });

  test("cut short, by a segment or by an octet, and made longer", async () => {
    for (const change of [-stride, -1, 1, stride]) {
      const id = await put(noise(2 * mebibyte));
      await truncate(fileOf(id), header + 2 * stride + change);
      await expect(readAll(id)).rejects.toMatchObject(damaged);
    }
  });

  test("one object in the place of another of the same size", async () => {
    const [first, second] = [await put(noise(1000)), await put(noise(1000))];
    await copyFile(fileOf(first), fileOf(second));
    await expect(readAll(second)).rejects.toMatchObject(damaged);
  });

  test("a segment taken from another object of the same size", async () => {
    const [first, second] = [await put(noise(1000)), await put(noise(1000))];
    const [from, into] = [await readFile(fileOf(first)), await readFile(fileOf(second))];
    await writeFile(fileOf(second), Buffer.concat([into.subarray(0, header), from.subarray(header)]));
    await expect(readAll(second)).rejects.toMatchObject(damaged);
  });

  test("missing", async () => {
    const id = await put(noise(10));
    await rm(fileOf(id));
    await expect(objects.open(id)).rejects.toMatchObject(damaged);
    await expect(objects.open("../../etc/passwd")).rejects.toMatchObject(damaged);
  });
});

describe("writing", () => {
  test("content of another size than was said leaves nothing", async () => {
    await expect(objects.stage(10, chunks(noise(11)))).rejects.toThrow(RangeError);
    await expect(objects.stage(10, chunks(noise(9)))).rejects.toThrow(RangeError);
    expect(await filesBelow(folder)).toEqual([]);
  });

  test("a source that fails in the middle leaves nothing", async () => {
    async function* failing() {
      yield noise(100);
      throw new Error("the medium was taken out");
    }
    await expect(objects.stage(200, failing())).rejects.toThrow("taken out");
    expect(await filesBelow(folder)).toEqual([]);
  });

  test("what is staged is no object before it is published", async () => {
    const id = await objects.stage(10, chunks(noise(10)));
    await expect(objects.open(id)).rejects.toMatchObject(damaged);
    const listed = [];
    for await (const entry of objects.list()) listed.push(entry);
    expect(listed).toEqual([{ id, part: true }]);
    await objects.discard([id]);
    expect(await filesBelow(folder)).toEqual([]);
  });
});

async function flip(file: string, position: number): Promise<void> {
  const octets = await readFile(file);
  octets[position]! ^= 1 << (position % 8);
  await writeFile(file, octets);
}
