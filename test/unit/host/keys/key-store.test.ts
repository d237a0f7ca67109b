import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createKeyStore, type KeyStore, type SafeStorage } from "../../../../host/keys/key-store.ts";

let folder: string;
let dataFolder: string;
let keyFile: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "keys-"));
  dataFolder = path.join(folder, "data");
  keyFile = path.join(folder, "config", "archive.key");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function store(safeStorage: SafeStorage | null = null): KeyStore {
  return createKeyStore({ dataFolder, keyFile, safeStorage });
}

/** Keeps the secret as a real key store does: outside the data folder, and able to lose it. */
function memoryStorage(backend = "gnome_libsecret"): SafeStorage & { forget(): void } {
  const kept = new Map<string, string>();
  return {
    backend: () => backend,
    available: () => true,
    encrypt: (text) => {
      const handle = `handle-${kept.size}`;
      kept.set(handle, text);
      return Buffer.from(handle);
    },
    decrypt: (data) => {
      const text = kept.get(Buffer.from(data).toString());
      if (text === undefined) throw new Error("unknown item");
      return text;
    },
    forget: () => kept.clear(),
  };
}

/** A letter of the recovery key changed into another one. */
function mistyped(recoveryKey: string): string {
  return (recoveryKey.startsWith("7") ? "8" : "7") + recoveryKey.slice(1);
}

async function keysJson(): Promise<Record<string, never>> {
  return JSON.parse(await readFile(path.join(dataFolder, "keys.json"), "utf8")) as Record<string, never>;
}

describe("the data key", () => {
  test("is the same after a restart, for each protection", async () => {
    const storage = memoryStorage();
    for (const protection of ["safe-storage", "passphrase", "key-file"] as const) {
      const passphrase = protection === "passphrase" ? "correct horse battery" : null;
      const { dataKey } = await store(storage).create(protection, passphrase);
      expect(dataKey).toHaveLength(32);
      expect(Buffer.from(await store(storage).open(passphrase))).toEqual(Buffer.from(dataKey));
      await rm(dataFolder, { recursive: true });
    }
  });

  test("is nowhere in the data folder, as octets or as hex", async () => {
    const { dataKey } = await store().create("key-file", null);
    for (const name of await readdir(dataFolder)) {
      const octets = await readFile(path.join(dataFolder, name));
      expect(octets.includes(Buffer.from(dataKey))).toBe(false);
      expect(octets.toString("latin1")).not.toContain(Buffer.from(dataKey).toString("hex"));
    }
  });

  test("is never made twice for one folder", async () => {
    await store().create("key-file", null);
    await expect(store().create("key-file", null)).rejects.toMatchObject({ code: "bad-request" });
  });

  test("does not open by the wraps of another archive", async () => {
    await store().create("passphrase", "first passphrase");
    const first = await keysJson();
    await rm(dataFolder, { recursive: true });
    await store().create("passphrase", "second passphrase");
    const mixed = { ...(await keysJson()), protection: first["protection"] };
    await writeFile(path.join(dataFolder, "keys.json"), JSON.stringify(mixed));
    await expect(store().open("first passphrase")).rejects.toMatchObject({ code: "wrong-passphrase" });
  });

  test("damaged keys.json is named", async () => {
    await store().create("key-file", null);
    await writeFile(path.join(dataFolder, "keys.json"), "{");
    await expect(store().open(null)).rejects.toMatchObject({ code: "archive-damaged" });
    await expect(store().status()).rejects.toMatchObject({ code: "archive-damaged" });
  });

  test("keys.json is written whole and leaves no temporary file", async () => {
    await store().create("key-file", null);
    expect(await readdir(dataFolder)).toEqual(["keys.json"]);
    expect((await stat(path.join(dataFolder, "keys.json"))).mode & 0o777).toBe(0o600);
  });
});

describe("passphrase", () => {
  test("a wrong one is named, and no hint is stored", async () => {
    await store().create("passphrase", "correct horse battery");
    await expect(store().open("correct horse batterz")).rejects.toMatchObject({ code: "wrong-passphrase" });
    await expect(store().open(null)).rejects.toMatchObject({ code: "archive-locked" });
    expect(JSON.stringify(await keysJson())).not.toContain("horse");
    expect(await store().status()).toMatchObject({ state: "locked", protection: "passphrase" });
  });

  test("the same letters in another Unicode form open it", async () => {
    await store().create("passphrase", "Mu\u0308ller-Schlu\u0308ssel");
    expect(await store().open("M\u00fcller-Schl\u00fcssel")).toHaveLength(32);
  });

  test("costs at least 2^17 rounds, and a lowered cost is refused", async () => {
    await store().create("passphrase", "correct horse battery");
    const keys = (await keysJson()) as unknown as { protection: { kdf: { n: number } } };
    expect(keys.protection.kdf.n).toBeGreaterThanOrEqual(2 ** 17);
    keys.protection.kdf.n = 2;
    await writeFile(path.join(dataFolder, "keys.json"), JSON.stringify(keys));
    await expect(store().open("correct horse battery")).rejects.toMatchObject({ code: "archive-damaged" });
  });

  test("a short one is refused", async () => {
    await expect(store().create("passphrase", "short")).rejects.toMatchObject({ code: "bad-input" });
    await expect(store().create("passphrase", null)).rejects.toMatchObject({ code: "bad-input" });
  });
});

describe("key file", () => {
  test("is made with mode 0600 outside the data folder", async () => {
    await store().create("key-file", null);
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(await store().status()).toEqual({ state: "open", protection: "key-file" });
  });

  test("inside the data folder is refused, also through a link", async () => {
    await mkdir(dataFolder, { recursive: true });
    const inside = createKeyStore({ dataFolder, keyFile: path.join(dataFolder, "k"), safeStorage: null });
    await expect(inside.create("key-file", null)).rejects.toMatchObject({ code: "forbidden" });
    const link = path.join(folder, "link");
    await symlink(dataFolder, link);
    const linked = createKeyStore({ dataFolder, keyFile: path.join(link, "k"), safeStorage: null });
    await expect(linked.create("key-file", null)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("that others can read is refused", async () => {
    await store().create("key-file", null);
    await chmod(keyFile, 0o640);
    await expect(store().open(null)).rejects.toMatchObject({ code: "forbidden" });
    expect(await store().status()).toMatchObject({ state: "locked", protection: "key-file" });
  });

  test("that is gone locks the archive", async () => {
    await store().create("key-file", null);
    await rm(keyFile);
    await expect(store().open(null)).rejects.toMatchObject({ code: "archive-locked" });
  });

  test("keeps the keys of other archives", async () => {
    const first = await store().create("key-file", null);
    const second = createKeyStore({ dataFolder: path.join(folder, "other"), keyFile, safeStorage: null });
    await second.create("key-file", null);
    expect(Buffer.from(await store().open(null))).toEqual(Buffer.from(first.dataKey));
  });
});

describe("safe storage", () => {
  test("with the fixed password of basic_text is refused", async () => {
    const plain = store(memoryStorage("basic_text"));
    expect(await plain.status()).toEqual({ state: "new", protections: ["passphrase", "key-file"] });
    await expect(plain.create("safe-storage", null)).rejects.toMatchObject({
      code: "key-store-not-available",
    });
  });

  test("is offered first where it works", async () => {
    expect(await store(memoryStorage()).status()).toEqual({
      state: "new",
      protections: ["safe-storage", "passphrase", "key-file"],
    });
  });

  test("that lost the key locks the archive", async () => {
    const storage = memoryStorage();
    await store(storage).create("safe-storage", null);
    storage.forget();
    await expect(store(storage).open(null)).rejects.toMatchObject({ code: "archive-locked" });
    await expect(store(null).open(null)).rejects.toMatchObject({ code: "key-store-not-available" });
  });
});

describe("recovery key", () => {
  test("opens the archive and protects it anew", async () => {
    const { dataKey, recoveryKey } = await store().create("passphrase", "a lost passphrase");
    expect(recoveryKey).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){8}[0-9A-HJKMNP-TV-Z]{4}$/);
    const request = { recoveryKey, protection: "passphrase", passphrase: "a new passphrase" } as const;
    expect(Buffer.from(await store().recover(request))).toEqual(Buffer.from(dataKey));
    expect(Buffer.from(await store().open("a new passphrase"))).toEqual(Buffer.from(dataKey));
    await expect(store().open("a lost passphrase")).rejects.toMatchObject({ code: "wrong-passphrase" });
    expect(await store().recover({ ...request, protection: "key-file" })).toHaveLength(32);
  });

  test("is read in lower case, with blanks, and with O for 0 and I for 1", async () => {
    const { recoveryKey } = await store().create("key-file", null);
    const typed = recoveryKey.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "i");
    expect(
      await store().recover({ recoveryKey: typed, protection: "key-file", passphrase: null }),
    ).toHaveLength(32);
  });

  test("mistyped is told from belonging to another archive", async () => {
    const { recoveryKey } = await store().create("key-file", null);
    const request = { protection: "key-file", passphrase: null } as const;
    for (const typed of [mistyped(recoveryKey), recoveryKey.slice(5), "", "!!!!"]) {
      await expect(store().recover({ ...request, recoveryKey: typed })).rejects.toMatchObject({
        code: "bad-input",
      });
    }
    const other = createKeyStore({ dataFolder: path.join(folder, "other"), keyFile, safeStorage: null });
    const foreign = await other.create("key-file", null);
    await expect(store().recover({ ...request, recoveryKey: foreign.recoveryKey })).rejects.toMatchObject({
      code: "wrong-recovery-key",
    });
  });

  test("is kept nowhere", async () => {
    const { recoveryKey } = await store().create("key-file", null);
    const stored =
      (await readFile(path.join(dataFolder, "keys.json"), "utf8")) + (await readFile(keyFile, "utf8"));
    expect(stored).not.toContain(recoveryKey);
    expect(stored).not.toContain(recoveryKey.replaceAll("-", ""));
  });
});
