import { appError } from "../../core/errors.ts";
import type { Rectangle, ViewVoi } from "../../core/view.ts";
import type { Values } from "./command.ts";

/** Options as typed values. Each throws `usage` with the option's name where the text is not what it should be. */

export function textOption(values: Values, name: string): string | null {
  const value = values[name];
  return typeof value === "string" ? value : null;
}

export function requiredOption(values: Values, name: string): string {
  const value = textOption(values, name);
  if (value === null || value.trim() === "") throw appError("usage", `--${name} is missing.`);
  return value;
}

export function numberOption(values: Values, name: string): number | null {
  const text = textOption(values, name);
  if (text === null) return null;
  return numberOf(text, name);
}

export function wholeOption(values: Values, name: string): number | null {
  const number = numberOption(values, name);
  if (number !== null && (!Number.isSafeInteger(number) || number < 0)) {
    throw appError("usage", `--${name} takes a whole number.`);
  }
  return number;
}

export function listOption(values: Values, name: string): string[] | null {
  const text = textOption(values, name);
  if (text === null) return null;
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** --window C,W */
export function windowOption(values: Values): ViewVoi | null {
  const numbers = numbersOption(values, "window", 2);
  if (!numbers) return null;
  const [center, width] = numbers as [number, number];
  if (width <= 0) throw appError("usage", "--window takes a centre and a width above 0: --window C,W");
  return { kind: "window", center, width, function: "LINEAR" };
}

/** --crop x,y,w,h in pixels of the stored frame. */
export function cropOption(values: Values): Rectangle | null {
  const numbers = numbersOption(values, "crop", 4);
  if (!numbers) return null;
  const [x, y, width, height] = numbers as [number, number, number, number];
  if (width < 1 || height < 1 || x < 0 || y < 0)
    throw appError("usage", "--crop takes x,y,width,height in pixels.");
  return { x, y, width, height };
}

function numbersOption(values: Values, name: string, count: number): number[] | null {
  const text = textOption(values, name);
  if (text === null) return null;
  const numbers = text.split(",").map((part) => numberOf(part, name));
  if (numbers.length !== count)
    throw appError("usage", `--${name} takes ${count} numbers with commas between.`);
  return numbers;
}

function numberOf(text: string, name: string): number {
  const number = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(number)) throw appError("usage", `--${name} takes a number; "${text}" is none.`);
  return number;
}
