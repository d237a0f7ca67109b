import { failureLines, parentPort } from "../core/parent-port.ts";
import { serveApi } from "../core/rpc.ts";
import type { ArchiveApi } from "./api.ts";
import { createArchiveService } from "./archive-service.ts";

/** The archive process: the only one that touches the database and DICOM that came from outside. */

const port = parentPort(process);
serveApi<ArchiveApi>(port, createArchiveService(), (name, cause) => {
  process.stderr.write(failureLines(name, cause));
});
// Work that is cut short here is found and set right at the next start.
port.onExit(() => process.exit(0));
