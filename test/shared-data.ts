import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The research data beside a checkout; absent for most users: tests that need it skip with `sharedDataMissing`. */
const folder =
  process.env["MEDITRON_SHARED_DATA"] ?? fileURLToPath(new URL("../../shared/data", import.meta.url));

export const sharedDataMissing = "skipped: shared data not present";
export const hasSharedData = existsSync(path.join(folder, "README.md"));

export function sharedData(...parts: string[]): string {
  return path.join(folder, ...parts);
}
