import type { AppInfo } from "../../core/settings.ts";
import type { Context } from "../context.ts";
import type { Part } from "../router.ts";

const researchUse = "For research use only. Not a medical device; not for diagnosis or treatment.";

export function appProcedures(context: Context): Part<"app.info" | "settings.read" | "settings.write"> {
  return {
    async "app.info"() {
      return {
        name: "MEDITRON Imaging Assistant",
        version: context.version,
        shell: context.shell.kind,
        dataFolder: context.folders.data,
        logFolder: context.folders.logs,
        keyLocation: await keyLocation(context),
        packFolders: [...context.folders.packs],
        researchUse,
      } satisfies AppInfo;
    },
    "settings.read": () => context.settings.read(),
    async "settings.write"(change) {
      const before = await context.settings.read();
      const settings = await context.settings.write(change);
      // A provider is chosen when the inference process starts.
      if (settings.provider !== before.provider) await context.inference.stop();
      return settings;
    },
  };
}

async function keyLocation(context: Context): Promise<string> {
  const status = await context.gate.status().catch(() => null);
  if (!status || status.state === "new") return "";
  switch (status.protection) {
    case "key-file":
      return context.folders.keyFile;
    case "safe-storage":
      return "the key store of this computer";
    case "passphrase":
      return "your passphrase";
  }
}
