import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { LibraryHandle } from "koffi";
import { lavapipeFolder } from "./lavapipe-folder.mjs";

/** What `fetch-lavapipe.mjs` wrote of the driver. */
interface Lavapipe {
  readonly packages: readonly string[];
  readonly icd: string;
  readonly libraries: readonly string[];
}

/** koffi unloads a library that nothing refers to. */
const loaded: LibraryHandle[] = [];

/** Mesa's software Vulkan driver in the user's cache; null where it was not fetched. */
export function findLavapipe(): Lavapipe | null {
  const file = path.join(lavapipeFolder(), "lavapipe.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Lavapipe) : null;
}

/**
 * Makes this process use that driver and no other. Its libraries are loaded here by their whole paths: those that
 * Vulkan then asks for by name are found among them, so that no search path of the system is touched.
 */
export function useLavapipe({ icd, libraries }: Lavapipe): void {
  process.env["VK_ICD_FILENAMES"] = icd;
  process.env["VK_DRIVER_FILES"] = icd;
  const { load } = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const wanted =
    /^lib(?:vulkan|drm|LLVM|z3|elf|sensors|display-info|wayland-client|xcb.*|X11.*)\.so\.|^lib(?:LLVM.*)\.so/;
  let left = libraries.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => wanted.test(name))
      .map((name) => path.join(folder, name)),
  );
  // Each may need another: those that fail are tried again as long as others succeed.
  for (let before = left.length + 1; left.length < before;) {
    before = left.length;
    left = left.filter((file) => {
      try {
        loaded.push(load(file));
        return false;
      } catch {
        return true;
      }
    });
  }
}
