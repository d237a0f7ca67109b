import * as v from "valibot";

/** How the data key of the archive is kept at rest. */
export const keyProtectionSchema = v.picklist(["safe-storage", "passphrase", "key-file"]);
export type KeyProtection = v.InferOutput<typeof keyProtectionSchema>;

export const settingsSchema = v.object({
  /** "auto" or the name of an execution provider. */
  provider: v.string(),
  groundBudgetSeconds: v.pipe(v.number(), v.minValue(0), v.maxValue(3600)),
  pack: v.nullable(v.string()),
  theme: v.picklist(["dark", "light", "system"]),
});
export type Settings = v.InferOutput<typeof settingsSchema>;

export const archiveStatusSchema = v.variant("state", [
  /** First start: no archive yet. `protections` are those that work on this machine, best first. */
  v.object({ state: v.literal("new"), protections: v.array(keyProtectionSchema), dataFolder: v.string() }),
  /** Waits for the passphrase, or for the recovery key where the key store lost the key. */
  v.object({ state: v.literal("locked"), protection: keyProtectionSchema, reason: v.string() }),
  v.object({
    state: v.literal("ready"),
    protection: keyProtectionSchema,
    dataFolder: v.string(),
    studies: v.number(),
    instances: v.number(),
    bytes: v.number(),
    repairs: v.array(v.string()),
  }),
  v.object({ state: v.literal("failed"), code: v.string(), message: v.string() }),
]);
export type ArchiveStatus = v.InferOutput<typeof archiveStatusSchema>;

export const appInfoSchema = v.object({
  name: v.string(),
  version: v.string(),
  /** Where the app runs: its window, or a browser on the loopback host. */
  shell: v.picklist(["electron", "host"]),
  dataFolder: v.string(),
  logFolder: v.string(),
  /** A path or a place in words; "" before there is an archive. */
  keyLocation: v.string(),
  /** Where packs are looked for, in this order; the first is shipped with the app. */
  packFolders: v.array(v.string()),
  researchUse: v.string(),
});
export type AppInfo = v.InferOutput<typeof appInfoSchema>;
