import path from "node:path";
import { type ArchiveApi, archiveKinds } from "../archive/api.ts";
import { type InferenceApi, inferenceKinds } from "../models/api.ts";
import { createArchiveGate } from "./archive-gate.ts";
import { createChild, type Spawn } from "./children.ts";
import type { Context } from "./context.ts";
import { appVersion, childScript, type Folders } from "./folders.ts";
import { createKeyStore } from "./keys/key-store.ts";
import { createLog } from "./log.ts";
import { type Owner, takeDataFolder } from "./owner.ts";
import { policyFiles, readPolicy } from "./policy.ts";
import { answerProcedures } from "./procedures/answers.ts";
import { appProcedures } from "./procedures/app.ts";
import { archiveProcedures } from "./procedures/archive.ts";
import { backupProcedures } from "./procedures/backups.ts";
import { evaluationProcedures } from "./procedures/evaluations.ts";
import { fileProcedures } from "./procedures/files.ts";
import { frameProcedures } from "./procedures/frames.ts";
import { importProcedures } from "./procedures/imports.ts";
import { modelProcedures } from "./procedures/models.ts";
import { studyProcedures } from "./procedures/studies.ts";
import { createRouter, type Router } from "./router.ts";
import { createSettingsStore } from "./settings-store.ts";
import type { Shell } from "./shell.ts";
import { createRequestHandler, type RequestHandler } from "./transports/fetch.ts";
import { createStaticFiles } from "./transports/static-files.ts";
import type { StreamTimes } from "./transports/stream-body.ts";

export interface AppOptions {
  readonly folders: Folders;
  readonly shell: Shell;
  readonly spawn: Spawn;
  /** What other programs of this user may ask of this process over the data folder's socket. */
  readonly forOthers?: (handle: RequestHandler) => RequestHandler;
  readonly times?: StreamTimes;
  /** Checks every output against the contract; slow for long streams. */
  readonly checkOutputs?: boolean;
}

/** The application without a window: what Electron's main process, the loopback host and the CLI share. */
export interface App {
  readonly router: Router;
  readonly handle: RequestHandler;
  /** Makes this process the owner of the data folder, if it is not yet. @throws archive-in-use */
  takeFolder(): Promise<void>;
  /** Ends the child processes and gives the data folder free. */
  stop(): Promise<void>;
}

export function createApp(options: AppOptions): App {
  const { folders, shell, spawn } = options;
  const log = createLog(folders.logs);
  const settings = createSettingsStore(folders.data);
  let owner: Promise<Owner> | null = null;

  async function takeFolder(): Promise<void> {
    owner ??= takeDataFolder(folders.data, (request) => (options.forOthers?.(handle) ?? handle)(request));
    try {
      await owner;
    } catch (thrown) {
      owner = null;
      throw thrown;
    }
  }

  const keys = createKeyStore({
    dataFolder: folders.data,
    keyFile: folders.keyFile,
    safeStorage: shell.safeStorage,
  });
  const gate = createArchiveGate({ keys, takeFolder });
  const archive = createChild<ArchiveApi>({
    script: childScript(folders.root, "archive"),
    spawn,
    kinds: archiveKinds,
    log,
    async prepare(api, signal) {
      const dataKey = await gate.openKey();
      gate.opened(await api.open({ dataFolder: path.join(folders.data, "archive"), dataKey }, signal));
    },
    finish: (api, signal) => api.close({}, signal),
  });
  const inference = createChild<InferenceApi>({
    script: childScript(folders.root, "models"),
    spawn,
    kinds: inferenceKinds,
    log,
    async prepare(api, signal) {
      const { provider } = await settings.read();
      const stateFolder = path.join(folders.data, "state");
      const policy = await readPolicy(policyFiles(process.env));
      const packFolders = folders.packs;
      const cacheFolder = folders.cache;
      await api.configure(
        { packFolders, provider, threads: null, stateFolder, cacheFolder, ...policy },
        signal,
      );
    },
  });
  const context: Context = {
    version: appVersion(folders.root),
    folders,
    shell,
    log,
    settings,
    gate,
    archive,
    inference,
  };
  const router = createRouter({
    procedures: {
      ...appProcedures(context),
      ...archiveProcedures(context),
      ...backupProcedures({ ...context, takeFolder }),
      ...studyProcedures(context),
      ...fileProcedures(context),
      ...importProcedures(context),
      ...frameProcedures(context),
      ...answerProcedures(context),
      ...modelProcedures(context),
      ...evaluationProcedures(context),
    },
    log,
    checkOutputs: options.checkOutputs ?? process.env["NODE_ENV"] === "test",
  });
  const pages = createStaticFiles(path.join(folders.root, "dist", "renderer"));
  const handle = createRequestHandler({
    router,
    pages,
    log,
    ...(options.times ? { times: options.times } : {}),
  });

  return {
    router,
    handle,
    takeFolder,
    async stop() {
      await Promise.all([archive.end(), inference.end()]);
      const owned = await owner?.catch(() => null);
      owner = null;
      await owned?.release();
    },
  };
}
