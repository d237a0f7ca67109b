import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@playwright/test";
import { build } from "vite";
import { contentSecurityPolicy } from "../../host/transports/static-files.ts";
import { root } from "./host.ts";
import type { Compared } from "./pages/compare/main.ts";

/**
 * The picture on the screen against core/render-frame.ts, pixel by pixel at 1:1: what the eye gets is what the model
 * gets, and neither a rescale applied twice nor one never applied can hide.
 */

let folder = "";
let server: http.Server;

test.beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-compare-"));
  await build({
    configFile: path.join(root, "vite.config.ts"),
    root: path.join(root, "test/e2e/pages/compare"),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true },
  });
  server = http.createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : request.url!.slice(1);
    const type = name.endsWith(".js") ? "text/javascript" : name.endsWith(".css") ? "text/css" : "text/html";
    readFile(path.join(folder, path.normalize(name))).then(
      (content) => {
        // The policy that the app itself is served with.
        const headers = { "content-type": type, "content-security-policy": contentSecurityPolicy };
        response.writeHead(200, headers).end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
});

test.afterAll(async () => {
  server?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const kind of ["webgl", "cpu"] as const) {
  const within = kind === "webgl" ? 1 : 0;

  test(`every kind of frame is drawn as render-frame says, within ${within} levels (${kind})`, async ({
    page,
  }) => {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const results: Compared[] = await page.evaluate((wanted) => window.compareSurfaces(wanted), kind);
    expect(results.length).toBeGreaterThan(25);
    expect(results.every(({ surface }) => surface === kind)).toBe(true);
    expect(results.filter(({ worst }) => worst > within)).toEqual([]);
  });

  test(`flips and turns put every pixel where they say (${kind})`, async ({ page }) => {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const results: Compared[] = await page.evaluate((wanted) => window.compareTurns(wanted), kind);
    expect(results).toHaveLength(8);
    expect(results.filter(({ worst }) => worst > within)).toEqual([]);
  });
}

test("a lost WebGL context leaves the picture on the stage, drawn on the CPU", async ({ page }) => {
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const [before, after] = await page.evaluate(() => window.compareAfterLoss());
  expect(before).toMatchObject({ surface: "webgl", differing: 0 });
  expect(after).toMatchObject({ surface: "cpu", worst: 0 });
});
