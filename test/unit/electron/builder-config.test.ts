import { readFileSync } from "node:fs";
import path from "node:path";
import { getConfig, validateConfiguration } from "app-builder-lib/out/util/config/config.js";
import { DebugLogger } from "builder-util";
import { describe, expect, it } from "vitest";
import { root } from "../architecture/sources.ts";

const read = () => getConfig(root, "electron-builder.yml", null);

describe("electron-builder.yml", () => {
  it("is what electron-builder's schema allows", async () => {
    await expect(validateConfiguration(await read(), new DebugLogger(false))).resolves.toBeUndefined();
  });

  it("would not pass with a member that the schema does not know", async () => {
    const wrong = { ...(await read()), nonsense: true };
    await expect(validateConfiguration(wrong as never, new DebugLogger(false))).rejects.toThrow(/nonsense/);
  });

  it("packs the Electron that is pinned", async () => {
    const text = readFileSync(path.join(root, "package.json"), "utf8");
    const { devDependencies } = JSON.parse(text) as { devDependencies: Record<string, string> };
    expect(devDependencies["electron"]).toMatch(/^45\.\d+\.\d+$/);
    expect((await read()).electronVersion).toBe(devDependencies["electron"]);
  });

  it("switches off what would let the program run other code", async () => {
    expect((await read()).electronFuses).toMatchObject({
      runAsNode: false,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      onlyLoadAppFromAsar: true,
      enableEmbeddedAsarIntegrityValidation: true,
      grantFileProtocolExtraPrivileges: false,
    });
  });

  it("signs for macOS with the hardened runtime, and leave for V8 and for the libraries of other makers", async () => {
    const { mac } = await read();
    expect(mac).toMatchObject({ hardenedRuntime: true, entitlementsInherit: mac!.entitlements });
    const text = readFileSync(path.join(root, mac!.entitlements!), "utf8");
    const granted = [...text.matchAll(/<key>([^<]+)<\/key>\s*<true\/>/g)].map(([, key]) => key);
    // Every one of them weakens the runtime: this is the whole list.
    expect(granted.toSorted()).toEqual([
      "com.apple.security.cs.allow-jit",
      "com.apple.security.cs.allow-unsigned-executable-memory",
      "com.apple.security.cs.disable-library-validation",
    ]);
  });

  it("unpacks what child processes and native code open by path", async () => {
    expect((await read()).asarUnpack).toEqual(
      expect.arrayContaining(["dist/archive/**", "dist/models/**", "node_modules/**", "models/packs/**"]),
    );
  });
});
