import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ggufType, ggufTypes } from "../../../../models/import/gguf-dequantise.ts";
import { floatToHalf, halfToFloatTable } from "../../../../models/import/half-float.ts";
import { fixtures } from "./imported-language.ts";

interface Entry {
  readonly type: number;
  readonly name: string;
  readonly blocks: string;
  readonly values: string;
}

const entries = JSON.parse(readFileSync(path.join(fixtures, "gguf-blocks.json"), "utf8")) as Entry[];

describe("GGUF weight types", () => {
  it.each(entries)("$name blocks give the values of gguf-py", ({ type, blocks, values }) => {
    const bytes = new Uint8Array(Buffer.from(blocks, "base64"));
    const expected = new Float32Array(new Uint8Array(Buffer.from(values, "base64")).buffer);
    const out = new Float32Array(expected.length);
    ggufType(type).dequantise(bytes, out);
    for (let i = 0; i < out.length; i++) {
      const tolerance = 1e-6 * Math.max(1, Math.abs(expected[i] as number));
      expect(Math.abs((out[i] as number) - (expected[i] as number))).toBeLessThanOrEqual(tolerance);
    }
  });

  it("has a golden value for every type but plain float32", () => {
    expect(entries.map(({ type }) => type).toSorted((a, b) => a - b)).toEqual(
      [...ggufTypes.keys()].filter((type) => type !== 0).toSorted((a, b) => a - b),
    );
  });

  it("names a type that cannot be read", () => {
    expect(() => ggufType(99)).toThrow(expect.objectContaining({ code: "not-supported" }));
  });
});

describe("half precision", () => {
  it("comes back from every finite half unchanged", () => {
    const table = halfToFloatTable();
    const changed = Array.from(table.keys()).filter((bits) => {
      const value = table[bits] as number;
      return Number.isFinite(value) && floatToHalf(value) !== bits;
    });
    expect(changed).toEqual([]);
  });

  it("rounds a value between two halves to the even one", () => {
    expect(floatToHalf(1 + 2 ** -11)).toBe(0x3c00);
    expect(floatToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(floatToHalf(65520)).toBe(0x7c00);
  });
});
