import { expect, test } from "vitest";
import { median, threeDigits } from "../../../core/figures.ts";

test.each([
  [[3], 3],
  [[9, 1, 2], 2],
  [[4, 10, 1, 2], 3],
  [[], NaN],
])("the median of %j is %d", (values, expected) => {
  expect(median(values)).toBe(expected);
});

test("a median leaves the values as they were", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test.each([
  [123.456, 123],
  [0.0123456, 0.0123],
  [98_765, 98_800],
])("%d to three digits is %d", (value, expected) => {
  expect(threeDigits(value)).toBe(expected);
});
