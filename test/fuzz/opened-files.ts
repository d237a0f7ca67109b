import { realpathSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";

/** What the system says of the process itself (`mapped-files.ts`): by this name; a link to it is noted as what it is. */
const ownMemory = "/proc/self/smaps";

/** Notes every file that is opened through node:fs/promises, where links lead, until `stop`. */
export function watchOpens(): { take(): string[]; stop(): void } {
  const opened: string[] = [];
  const note = (file: unknown): void => {
    if (typeof file !== "string" || file === ownMemory) return;
    try {
      opened.push(realpathSync(file));
    } catch {
      opened.push(path.resolve(file));
    }
  };
  const originals = { open: promises.open, readFile: promises.readFile };
  promises.open = ((...args: Parameters<typeof promises.open>) => {
    note(args[0]);
    return originals.open(...args);
  }) as typeof promises.open;
  promises.readFile = ((...args: Parameters<typeof promises.readFile>) => {
    note(args[0]);
    return originals.readFile(...args);
  }) as typeof promises.readFile;
  syncBuiltinESMExports();
  return {
    take: () => opened.splice(0),
    stop() {
      Object.assign(promises, originals);
      syncBuiltinESMExports();
    },
  };
}
