import { defineConfig } from "@playwright/test";
import { loopbackOnly } from "../../scripts/window-options.mjs";

/**
 * The app from dist/ as a user has it: `npx playwright test -c test/e2e/playwright.config.ts`, after a build.
 * MEDITRON_CHROMIUM names another browser than the system's Chromium.
 */
export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results/e2e",
  // Hosts, archives and models share two cores at the least.
  workers: 1,
  timeout: 240_000,
  // What is traced (test/network) takes its time.
  expect: { timeout: process.env["MEDITRON_TRACED"] ? 120_000 : 20_000 },
  reporter: [["list"]],
  forbidOnly: true,
  // For both projects: without an Electron runtime the second one's tests are skipped, after a browser was started.
  use: {
    launchOptions: {
      executablePath: process.env["MEDITRON_CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        // Software WebGL needs it since Chromium 144.
        "--enable-unsafe-swiftshader",
        "--no-first-run",
        // As in the app's own window; of two lists of features Chromium takes the last, and Playwright has one.
        ...loopbackOnly.filter((option) => !option.startsWith("--disable-features")),
      ],
    },
  },
  projects: [{ name: "chromium" }, { name: "electron", testIgnore: ["**/surfaces.spec.ts"] }],
});
