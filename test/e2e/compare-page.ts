import { mkdtemp, readFile, rm } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { build } from "vite";
import { encodeFrame } from "../../core/frame-codec.ts";
import type { PixelFrame } from "../../core/frame.ts";
import { contentSecurityPolicy } from "../../host/transports/static-files.ts";
import { root } from "./host.ts";

/** The page that compares surfaces with core/render-frame.ts, built and served on this machine. */
export interface ComparePage {
  readonly url: string;
  /** The address at which the page fetches this frame, once. */
  offer(frame: PixelFrame): string;
  close(): Promise<void>;
}

export async function openComparePage(): Promise<ComparePage> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "meditron-compare-"));
  await build({
    configFile: path.join(root, "vite.config.ts"),
    root: path.join(root, "test/e2e/pages/compare"),
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true },
  });
  const offered = new Map<string, PixelFrame>();
  let count = 0;
  const server = http.createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : request.url!.slice(1);
    const frame = offered.get(name);
    if (frame) {
      offered.delete(name);
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(encodeFrame(frame));
      return;
    }
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
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    offer(frame) {
      count += 1;
      const name = `frames/${count}`;
      offered.set(name, frame);
      return `./${name}`;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
