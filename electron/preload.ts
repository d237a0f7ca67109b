import { contextBridge, webUtils } from "electron";

// Everything else goes through fetch. A dropped file's path is the one thing that only Electron can tell.
contextBridge.exposeInMainWorld("meditron", {
  pathOfFile: (file: File): string => webUtils.getPathForFile(file),
});
