import type { ArchiveApi } from "../archive/api.ts";
import type { InferenceApi } from "../models/api.ts";
import type { ArchiveGate } from "./archive-gate.ts";
import type { Child } from "./children.ts";
import type { Folders } from "./folders.ts";
import type { Log } from "./log.ts";
import type { SettingsStore } from "./settings-store.ts";
import type { Shell } from "./shell.ts";

/** What the procedures work with. */
export interface Context {
  readonly version: string;
  readonly folders: Folders;
  readonly shell: Shell;
  readonly log: Log;
  readonly settings: SettingsStore;
  readonly gate: ArchiveGate;
  readonly archive: Child<ArchiveApi>;
  readonly inference: Child<InferenceApi>;
}
