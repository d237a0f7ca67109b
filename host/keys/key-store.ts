import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { appError } from "../../core/errors.ts";
import { type KeyProtection, keyProtectionSchema } from "../../core/settings.ts";
import { atomicWrite } from "./atomic-write.ts";
import { addToKeyFile, readKeyFile } from "./key-file.ts";
import {
  keyFromPassphrase,
  keyFromSecret,
  keysDamaged,
  newScryptParameters,
  scryptSchema,
  seal,
  sealedSchema,
  unseal,
} from "./key-wrap.ts";
import { formatRecoveryKey, newRecoverySecret, parseRecoveryKey } from "./recovery-key.ts";

/**
 * The data key of an archive: 32 random bytes, never stored in the open. `keys.json` in the data folder holds it
 * twice: sealed by the chosen protection, and sealed by the recovery key.
 */

/** What the operating system offers for secrets; Electron implements it by its safeStorage. */
export interface SafeStorage {
  /** "basic_text" means a fixed password: no protection, refused. */
  backend(): string;
  available(): boolean | Promise<boolean>;
  encrypt(text: string): Uint8Array | Promise<Uint8Array>;
  decrypt(data: Uint8Array): string | Promise<string>;
}

export interface KeyStoreOptions {
  readonly dataFolder: string;
  /** Outside the data folder. */
  readonly keyFile: string;
  readonly safeStorage: SafeStorage | null;
}

export type KeyStatus =
  | { state: "new"; protections: KeyProtection[] }
  | { state: "locked"; protection: KeyProtection; reason: string }
  | { state: "open"; protection: KeyProtection };

export interface KeyRequest {
  readonly protection: KeyProtection;
  readonly passphrase: string | null;
}

export interface KeyStore {
  /** "open": `open(null)` works without a question. */
  status(): Promise<KeyStatus>;
  /** The recovery key is shown once and kept nowhere. @throws bad-input, key-store-not-available */
  create(
    protection: KeyProtection,
    passphrase: string | null,
  ): Promise<{ recoveryKey: string; dataKey: Uint8Array }>;
  /** @throws wrong-passphrase, archive-locked, key-store-not-available, not-found */
  open(passphrase: string | null): Promise<Uint8Array>;
  /** Opens by the recovery key and changes nothing. @throws wrong-recovery-key, not-found */
  openByRecovery(recoveryKey: string): Promise<Uint8Array>;
  /** Opens by the recovery key and protects anew; the recovery key stays the same. @throws wrong-recovery-key */
  recover(request: KeyRequest & { recoveryKey: string }): Promise<Uint8Array>;
}

const hex = v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2})+$/));
const keysSchema = v.object({
  format: v.literal(1),
  archive: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  protection: v.variant("type", [
    v.object({ type: v.literal("safe-storage"), secret: hex, sealed: sealedSchema }),
    v.object({ type: v.literal("passphrase"), kdf: scryptSchema, sealed: sealedSchema }),
    v.object({ type: v.literal("key-file"), sealed: sealedSchema }),
  ]),
  recovery: v.object({ sealed: sealedSchema }),
});
type Keys = v.InferOutput<typeof keysSchema>;
type Protection = Keys["protection"];

export const keysName = "keys.json";
const shortestPassphrase = 8;

export function createKeyStore(options: KeyStoreOptions): KeyStore {
  const keysFile = path.join(options.dataFolder, keysName);

  async function status(): Promise<KeyStatus> {
    const keys = await load(keysFile);
    if (!keys) return { state: "new", protections: await protections(options) };
    const protection = keys.protection.type;
    if (protection === "passphrase") {
      return { state: "locked", protection, reason: "Enter the passphrase of this archive." };
    }
    try {
      await unlock(keys, null, options);
      return { state: "open", protection };
    } catch (thrown) {
      return { state: "locked", protection, reason: (thrown as Error).message };
    }
  }

  async function create(protection: KeyProtection, passphrase: string | null) {
    if (await load(keysFile)) throw appError("bad-request", "This data folder has an archive already.");
    const archive = randomBytes(16).toString("hex");
    const dataKey = randomBytes(32);
    const secret = newRecoverySecret();
    const keys: Keys = {
      format: 1,
      archive,
      protection: await protect({ archive, dataKey }, { protection, passphrase }, options),
      recovery: { sealed: seal(dataKey, recoveryWrappingKey(secret), ["recovery", archive]) },
    };
    await atomicWrite(keysFile, `${JSON.stringify(keys, null, 2)}\n`);
    return { recoveryKey: formatRecoveryKey(secret), dataKey: new Uint8Array(dataKey) };
  }

  async function open(passphrase: string | null): Promise<Uint8Array> {
    return new Uint8Array(await unlock(await existing(keysFile), passphrase, options));
  }

  async function recover(request: KeyRequest & { recoveryKey: string }): Promise<Uint8Array> {
    const keys = await existing(keysFile);
    const dataKey = unlockByRecovery(keys, request.recoveryKey);
    const protection = await protect({ archive: keys.archive, dataKey }, request, options);
    await atomicWrite(keysFile, `${JSON.stringify({ ...keys, protection }, null, 2)}\n`);
    return new Uint8Array(dataKey);
  }

  return {
    status,
    create,
    open,
    openByRecovery: async (recoveryKey) =>
      new Uint8Array(unlockByRecovery(await existing(keysFile), recoveryKey)),
    recover,
  };
}

/** Takes over the sealed keys of an archive that was copied here, as they are. @throws disk-full, read-only */
export async function copyKeys(fromFolder: string, toFolder: string): Promise<void> {
  await atomicWrite(path.join(toFolder, keysName), await readFile(path.join(fromFolder, keysName), "utf8"));
}

/** Those that work on this machine, best first. */
async function protections({ safeStorage }: KeyStoreOptions): Promise<KeyProtection[]> {
  const all = keyProtectionSchema.options;
  const usable = await isUsable(safeStorage);
  return all.filter((protection) => protection !== "safe-storage" || usable);
}

async function isUsable(safeStorage: SafeStorage | null): Promise<boolean> {
  if (!safeStorage || !(await safeStorage.available())) return false;
  return safeStorage.backend() !== "basic_text";
}

async function protect(
  archive: { archive: string; dataKey: Uint8Array },
  request: KeyRequest,
  options: KeyStoreOptions,
): Promise<Protection> {
  const { archive: id, dataKey } = archive;
  switch (request.protection) {
    case "passphrase": {
      const passphrase = request.passphrase ?? "";
      if ([...passphrase].length < shortestPassphrase) {
        throw appError("bad-input", `A passphrase needs at least ${shortestPassphrase} characters.`);
      }
      const kdf = newScryptParameters();
      const wrappingKey = await keyFromPassphrase(passphrase, kdf);
      return { type: "passphrase", kdf, sealed: seal(dataKey, wrappingKey, ["passphrase", id, kdf]) };
    }
    case "key-file": {
      const secret = await addToKeyFile(options.keyFile, { dataFolder: options.dataFolder, archive: id });
      const sealed = seal(dataKey, keyFromSecret(secret, "key file"), ["key-file", id]);
      return { type: "key-file", sealed };
    }
    case "safe-storage": {
      const storage = await usableStorage(options.safeStorage);
      const secret = randomBytes(32);
      const kept = Buffer.from(await storage.encrypt(secret.toString("hex"))).toString("hex");
      const sealed = seal(dataKey, keyFromSecret(secret, "safe storage"), ["safe-storage", id]);
      return { type: "safe-storage", secret: kept, sealed };
    }
  }
}

async function unlock(keys: Keys, passphrase: string | null, options: KeyStoreOptions): Promise<Buffer> {
  const { archive, protection } = keys;
  switch (protection.type) {
    case "passphrase": {
      if (passphrase === null) throw appError("archive-locked", "Enter the passphrase of this archive.");
      const wrappingKey = await keyFromPassphrase(passphrase, protection.kdf);
      const dataKey = unseal(protection.sealed, wrappingKey, ["passphrase", archive, protection.kdf]);
      if (!dataKey) throw appError("wrong-passphrase", "This is not the passphrase of this archive.");
      return dataKey;
    }
    case "key-file": {
      const secret = await readKeyFile(options.keyFile, { dataFolder: options.dataFolder, archive });
      return (
        unseal(protection.sealed, keyFromSecret(secret, "key file"), ["key-file", archive]) ?? noLongerFits()
      );
    }
    case "safe-storage": {
      const storage = await usableStorage(options.safeStorage);
      const secret = await decryptSecret(storage, protection.secret);
      return (
        unseal(protection.sealed, keyFromSecret(secret, "safe storage"), ["safe-storage", archive]) ??
        noLongerFits()
      );
    }
  }
}

function unlockByRecovery({ archive, recovery }: Keys, recoveryKey: string): Buffer {
  const wrappingKey = recoveryWrappingKey(parseRecoveryKey(recoveryKey));
  const dataKey = unseal(recovery.sealed, wrappingKey, ["recovery", archive]);
  if (!dataKey) throw appError("wrong-recovery-key", "This recovery key belongs to another archive.");
  return dataKey;
}

async function decryptSecret(storage: SafeStorage, kept: string): Promise<Buffer> {
  try {
    return Buffer.from(await storage.decrypt(Buffer.from(kept, "hex")), "hex");
  } catch (thrown) {
    throw appError(
      "archive-locked",
      "The key store of this computer no longer holds the key of this archive. Use the recovery key.",
      thrown,
    );
  }
}

async function usableStorage(safeStorage: SafeStorage | null): Promise<SafeStorage> {
  if (safeStorage && (await isUsable(safeStorage))) return safeStorage;
  throw appError(
    "key-store-not-available",
    "This computer offers no protected key store here. Use a passphrase or a key file.",
  );
}

function noLongerFits(): never {
  throw appError(
    "archive-locked",
    "The stored key does not fit this archive. Restore keys.json or the key file, or use the recovery key.",
  );
}

function recoveryWrappingKey(secret: Uint8Array): Buffer {
  return keyFromSecret(secret, "recovery key");
}

async function existing(keysFile: string): Promise<Keys> {
  const keys = await load(keysFile);
  if (!keys) throw appError("not-found", "There is no archive in the data folder yet.");
  return keys;
}

async function load(keysFile: string): Promise<Keys | null> {
  let text: string;
  try {
    text = await readFile(keysFile, "utf8");
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ENOENT") return null;
    throw thrown;
  }
  try {
    return v.parse(keysSchema, JSON.parse(text));
  } catch (thrown) {
    throw keysDamaged(thrown);
  }
}
