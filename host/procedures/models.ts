import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { appError } from "../../core/errors.ts";
import type { Context } from "../context.ts";
import { readPemFiles } from "../policy.ts";
import type { Part } from "../router.ts";

export function modelProcedures(
  context: Context,
): Part<
  | "models.list"
  | "models.standings"
  | "models.fit"
  | "models.providers"
  | "models.load"
  | "models.check"
  | "models.sign"
  | "models.signature"
  | "models.import"
  | "models.bench"
  | "models.remove"
> {
  const ownPack = (name: string) => path.join(context.folders.data, "packs", name);
  const inference = (signal: AbortSignal) => context.inference.ready(signal);
  return {
    "models.list": async (_input, signal) => (await inference(signal)).listPacks({}, signal),
    "models.standings": async (_input, signal) => (await inference(signal)).packStandings({}, signal),
    "models.fit": async (_input, signal) => (await inference(signal)).packFits({}, signal),
    "models.providers": async (_input, signal) => (await inference(signal)).providers({}, signal),
    async *"models.load"({ pack }, signal) {
      yield* (await inference(signal)).load({ pack: pack ?? (await context.settings.read()).pack }, signal);
    },
    async *"models.check"({ folder }, signal) {
      yield* (await inference(signal)).checkPack({ folder: path.resolve(folder) }, signal);
    },
    async "models.sign"({ folder, key: keyFile, passphrase: passphraseFile, certificates }, signal) {
      const [key = ""] = await readPemFiles([keyFile]);
      const [passphrase] = await readPemFiles(passphraseFile === null ? [] : [passphraseFile]);
      const signer = await (
        await inference(signal)
      ).signPack(
        {
          folder: path.resolve(folder),
          key,
          passphrase: passphrase?.replace(/\r?\n$/, "") ?? null,
          certificates: await readPemFiles(certificates),
        },
        signal,
      );
      return { signer };
    },
    async "models.signature"({ folder, keys, certificates }, signal) {
      const named = keys.length + certificates.length > 0;
      const trust = named
        ? {
            unsigned: "refuse" as const,
            keys: await readPemFiles(keys),
            certificates: await readPemFiles(certificates),
          }
        : null;
      return (await inference(signal)).packSignature({ folder: path.resolve(folder), trust }, signal);
    },
    async *"models.import"({ source, name, adapter, baseConfig, kvCache, weights }, signal) {
      const targetFolder = path.join(context.folders.data, "packs");
      await mkdir(targetFolder, { recursive: true, mode: 0o700 });
      yield* (await inference(signal)).importModel(
        {
          source: path.resolve(source),
          targetFolder,
          name,
          adapter: adapter === undefined ? null : path.resolve(adapter),
          baseConfig: baseConfig === undefined ? null : path.resolve(baseConfig),
          kvCache,
          weights,
        },
        signal,
      );
    },
    async *"models.bench"({ pack, ...options }, signal) {
      const chosen = pack ?? (await context.settings.read()).pack;
      yield* (await inference(signal)).bench({ pack: chosen, ...options }, signal);
    },
    async "models.remove"({ name }, signal) {
      const folder = ownPack(name);
      if (!existsSync(path.join(folder, "pack.json"))) {
        throw appError("pack-not-found", "There is no pack of this name that was added here.");
      }
      // What its weights were laid out as goes with them.
      const packs = await (await inference(signal)).listPacks({}, signal);
      const digest = packs.find((pack) => pack.name === name)?.digest;
      // The process may have the weights mapped into memory.
      await context.inference.stop();
      await rm(folder, { recursive: true });
      if (digest !== undefined) await removePrepared(path.join(context.folders.cache, "weights"), digest);
      return {};
    },
  };
}

/** Deletes the entries of a pack (`PreparedWeights`), whatever version and processor they are for. */
async function removePrepared(folder: string, digest: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (name.startsWith(digest.slice(0, 32)))
      await rm(path.join(folder, name), { recursive: true, force: true });
  }
}
