import type { Command } from "./command.ts";
import {
  archiveBackupCommand,
  archiveCheckCommand,
  archiveConflictsCommand,
  archiveRestoreCommand,
  archiveSetAsideCommand,
} from "./commands/archive.ts";
import { askCommand } from "./commands/ask.ts";
import { dicomCheckCommand } from "./commands/dicom-check.ts";
import { evalCommands } from "./commands/eval.ts";
import { exportCommand } from "./commands/export.ts";
import { importCommand } from "./commands/import.ts";
import { listCommand } from "./commands/list.ts";
import {
  modelsImportCommand,
  modelsListCommand,
  modelsRemoveCommand,
  modelsSignCommand,
  modelsVerifyCommand,
} from "./commands/models.ts";
import { modelsBenchCommand } from "./commands/models-bench.ts";
import { sampleCommand } from "./commands/sample.ts";
import { serveCommand } from "./commands/serve.ts";

export const commands: readonly Command[] = [
  serveCommand,
  importCommand,
  listCommand,
  askCommand,
  dicomCheckCommand,
  archiveCheckCommand,
  archiveBackupCommand,
  archiveRestoreCommand,
  archiveConflictsCommand,
  archiveSetAsideCommand,
  modelsListCommand,
  modelsImportCommand,
  modelsSignCommand,
  modelsVerifyCommand,
  modelsBenchCommand,
  modelsRemoveCommand,
  ...evalCommands,
  sampleCommand,
  exportCommand,
];
