import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../architecture/sources.ts";

interface Point {
  readonly number: number;
  readonly files: readonly string[];
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

const points = readPoints(readFileSync(path.join(root, "docs/electron-security.md"), "utf8"));

function readPoints(text: string): Point[] {
  return text.split("\n").flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    if (cells.length !== 7 || !/^\d+$/.test(cells[1]!)) return [];
    const files = [...cells[4]!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!);
    const tests = [...cells[5]!.matchAll(/`([^`]+)`: "([^"]+)"/g)].map(([, file, name]) => ({
      file: file!,
      name: name!,
    }));
    return [{ number: Number(cells[1]), files, tests }];
  });
}

const read = (file: string) =>
  existsSync(path.join(root, file)) ? readFileSync(path.join(root, file), "utf8") : null;

describe("the table of Electron's security checklist", () => {
  it("has its 20 points, each with a file and a test", () => {
    expect(points.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(points.filter(({ files, tests }) => files.length === 0 || tests.length === 0)).toEqual([]);
  });

  it("names files that there are", () => {
    const named = points.flatMap(({ files, tests }) => [...files, ...tests.map(({ file }) => file)]);
    expect(named.filter((file) => read(file) === null)).toEqual([]);
  });

  it("names tests that there are, by their whole name", () => {
    const missing = points
      .flatMap(({ tests }) => tests)
      .filter(({ file, name }) => !read(file)?.includes(`"${name}"`));
    expect(missing).toEqual([]);
  });

  it("would notice a test that was renamed", () => {
    const [point] = readPoints('| 1 | a | b | `electron/main.ts` | `test/x.test.ts`: "was renamed" |');
    expect(point).toEqual({
      number: 1,
      files: ["electron/main.ts"],
      tests: [{ file: "test/x.test.ts", name: "was renamed" }],
    });
    expect(read("test/x.test.ts")).toBeNull();
  });
});
