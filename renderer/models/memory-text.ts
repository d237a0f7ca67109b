import type { PackFit } from "../../core/memory-fit.ts";
import { bytesText } from "../settings/bytes-text.ts";

/** What a pack takes of this machine's memory, in sentences. */
export function memoryText({ text, device, cache_token_bytes: token }: PackFit): string {
  const card = device === null ? [] : [`On the graphics card ${bytesText(device.needs_bytes)}.`];
  // Of exports without a cache of their own kind it is not known.
  const growth = token === 0 ? [] : [`1,000 tokens more take ${bytesText(1000 * token)}.`];
  return [text, ...card, ...growth].join(" ");
}
