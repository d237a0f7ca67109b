import { homedir } from "node:os";
import path from "node:path";

/** Where `fetch-lavapipe.mjs` puts the driver: in the user's cache, outside the repository. */
export function lavapipeFolder() {
  const cache = process.env["XDG_CACHE_HOME"] || path.join(homedir(), ".cache");
  return path.join(cache, "meditron-imaging-assistant", "lavapipe");
}
