/** What electron/preload.ts gives the page: the path of a dropped file, and nothing else. */
interface Bridge {
  pathOfFile(file: File): string;
}

/** Null on the loopback host: there the page uploads the files itself. */
export function desktopBridge(): Bridge | null {
  const bridge = (globalThis as { meditron?: Bridge }).meditron;
  return typeof bridge?.pathOfFile === "function" ? bridge : null;
}
