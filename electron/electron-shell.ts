import { dialog, safeStorage } from "electron";
import type { Shell } from "../host/shell.ts";

export const electronShell: Shell = {
  kind: "electron",
  async pickPaths(kind) {
    const properties: ("openFile" | "openDirectory" | "multiSelections")[] =
      kind === "folder" ? ["openDirectory", "multiSelections"] : ["openFile", "multiSelections"];
    const { filePaths } = await dialog.showOpenDialog({ properties });
    return filePaths;
  },
  safeStorage: {
    available: () => safeStorage.isEncryptionAvailable(),
    // Only Linux has a choice of key stores; elsewhere it is the system's own.
    backend: () =>
      process.platform === "linux" ? safeStorage.getSelectedStorageBackend() : process.platform,
    encrypt: (text) => safeStorage.encryptString(text),
    decrypt: (data) => safeStorage.decryptString(Buffer.from(data)),
  },
};
