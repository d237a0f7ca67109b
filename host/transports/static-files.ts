import { readFile } from "node:fs/promises";
import path from "node:path";
import { appError } from "../../core/errors.ts";

/** The built page. It holds no data, so it is given out without a bearer. */
export interface StaticFiles {
  /** @throws not-found, bad-request */
  read(request: Request): Promise<Response>;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

/** Only our own files run: no inline script or style, no evaluation, no worker from anywhere else. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function createStaticFiles(folder: string): StaticFiles {
  return {
    async read(request) {
      if (request.method !== "GET" && request.method !== "HEAD") {
        throw appError("bad-request", "Pages are read with GET.");
      }
      const file = fileOf(folder, new URL(request.url).pathname);
      const content = await readFile(file).catch(() => null);
      if (!content) {
        const built = path.extname(file) !== ".html";
        throw appError(
          "not-found",
          built ? "There is no such file." : "The page is not built. Run: npm run build",
        );
      }
      const hashed = path.basename(path.dirname(file)) === "assets";
      const headers = {
        "content-type": types[path.extname(file)] ?? "application/octet-stream",
        "content-security-policy": contentSecurityPolicy,
        "cache-control": hashed ? "max-age=31536000, immutable" : "no-store",
      };
      return new Response(request.method === "HEAD" ? null : new Uint8Array(content), { headers });
    },
  };
}

/** A path without an extension is a place inside the app: the page itself. */
function fileOf(folder: string, pathname: string): string {
  const name = decodePath(pathname);
  const file = path.join(folder, name);
  const inside = file === folder || file.startsWith(folder + path.sep);
  if (!inside || name.includes("\0")) throw appError("bad-request", "That is no path of the page.");
  return path.extname(file) === "" || file === folder ? path.join(folder, "index.html") : file;
}

function decodePath(pathname: string): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw appError("bad-request", "That is no path of the page.");
  }
}
