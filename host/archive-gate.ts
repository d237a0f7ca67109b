import type { ArchiveHealth } from "../core/archive-events.ts";
import { appError } from "../core/errors.ts";
import type { KeyProtection } from "../core/settings.ts";
import type { KeyStatus, KeyStore } from "./keys/key-store.ts";

/**
 * Who may open the archive: keeps the data key in memory once it was unlocked, so that a lost archive process can
 * be started again without asking for the passphrase, and gives it to nobody but that process.
 */
export interface ArchiveGate {
  status(): Promise<KeyStatus>;
  create(protection: KeyProtection, passphrase: string | null): Promise<{ recoveryKey: string }>;
  unlock(passphrase: string): Promise<void>;
  recover(request: {
    recoveryKey: string;
    protection: KeyProtection;
    passphrase: string | null;
  }): Promise<void>;
  /** Another archive came to lie in the data folder: it opens by this key. */
  adopt(dataKey: Uint8Array | null): void;
  /** The archive leaves the data folder: its key is given back, and forgotten here. */
  leave(): Uint8Array | null;
  /** The key for the archive process. Takes the data folder first. @throws archive-locked, archive-in-use */
  openKey(): Promise<Uint8Array>;
  opened(health: ArchiveHealth): void;
  /** What was set right when the archive was last opened. */
  repairs(): readonly string[];
}

export function createArchiveGate(options: { keys: KeyStore; takeFolder(): Promise<void> }): ArchiveGate {
  const { keys, takeFolder } = options;
  let dataKey: Uint8Array | null = null;
  let repairs: readonly string[] = [];

  return {
    async status() {
      const status = await keys.status();
      return dataKey && status.state === "locked" ? { state: "open", protection: status.protection } : status;
    },
    async create(protection, passphrase) {
      await takeFolder();
      const created = await keys.create(protection, passphrase);
      dataKey = created.dataKey;
      return { recoveryKey: created.recoveryKey };
    },
    async unlock(passphrase) {
      await takeFolder();
      dataKey = await keys.open(passphrase);
    },
    async recover(request) {
      await takeFolder();
      dataKey = await keys.recover(request);
    },
    adopt: (given) => void (dataKey = given),
    leave() {
      const left = dataKey;
      dataKey = null;
      return left;
    },
    async openKey() {
      await takeFolder();
      if (dataKey) return dataKey;
      const status = await keys.status();
      if (status.state === "new")
        throw appError("archive-locked", "There is no archive yet. Set one up first.");
      if (status.state === "locked") throw appError("archive-locked", status.reason);
      dataKey = await keys.open(null);
      return dataKey;
    },
    opened: (health) => void (repairs = health.repairs),
    repairs: () => repairs,
  };
}
