import { appError } from "../core/errors.ts";
import type { Shell } from "./shell.ts";

export const headlessShell: Shell = {
  kind: "host",
  safeStorage: null,
  pickPaths: () =>
    Promise.reject(
      appError("not-supported", "File dialogs need the app's own window. Use the page's buttons."),
    ),
};
