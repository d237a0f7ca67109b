import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("renderer"),
  // Relative addresses: the same files are served by app:// and by the loopback host.
  base: "./",
  plugins: [react()],
  resolve: { alias: { xmlbuilder2: here("renderer/viewport/xml-builder-stand-in.ts") } },
  build: {
    outDir: here("dist/renderer"),
    emptyOutDir: true,
    sourcemap: true,
    license: { fileName: "licenses.md" },
    target: "chrome140",
    // The content security policy refuses inline scripts and data: fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 10_000,
  },
  worker: { format: "es" },
});
