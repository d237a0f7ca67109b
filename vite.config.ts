import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: "renderer",
  // Relative addresses: the same files are served by app:// and by the loopback host.
  base: "./",
  plugins: [react()],
  resolve: {
    alias: {
      xmlbuilder2: fileURLToPath(new URL("./renderer/viewport/xml-builder-stand-in.ts", import.meta.url)),
    },
  },
  build: {
    outDir: "../dist/renderer",
    emptyOutDir: true,
    target: "es2023",
    // Nothing is inlined as data: or as a script in the page, so that the Content-Security-Policy stays strict.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2500,
  },
  worker: { format: "es" },
});
