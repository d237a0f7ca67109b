import { type ChildProcess, spawn } from "node:child_process";
import { appError } from "../../../core/errors.ts";
import { findOwner } from "../../owner.ts";
import { serveApp } from "../../serve.ts";
import type { Command } from "../command.ts";
import { wholeOption } from "../values.ts";

export const serveCommand: Command = {
  name: "serve",
  usage: "[--port N] [--no-open] [--link]",
  summary: "Serve the app to a browser on this machine (127.0.0.1 only).",
  options: {
    port: { type: "string" },
    "no-open": { type: "boolean" },
    window: { type: "boolean" },
    link: { type: "boolean" },
  },
  help: {
    "--port N": "another port than a free one",
    "--no-open": "print the address instead of opening a browser",
    "--window": "with --no-open: the address is for a window that is opened at once, and good for a minute",
    "--link": "print another address of the app that is being served",
  },
  async run({ values, output, signal, folders, serving }) {
    if (values["link"]) {
      const url = await anotherLink(folders.data);
      return output.result({ url }, url);
    }
    const served = await serveApp({ port: wholeOption(values, "port") ?? 0, make: serving });
    try {
      const open = values["no-open"] !== true && !output.json;
      const url = served.link(open || values["window"] === true ? "window" : "printed");
      if (open) openBrowser(url);
      const { port } = served;
      const place = open ? `http://127.0.0.1:${port}` : url;
      output.result({ url, port, pid: process.pid }, `Serving on ${place}\nStop with Ctrl-C.`);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      await served.close();
    }
  },
};

async function anotherLink(dataFolder: string): Promise<string> {
  const door = await findOwner(dataFolder);
  if (!door) throw appError("not-found", "The app is not being served. Run: meditron serve");
  const headers = { authorization: door.authorization() ?? "" };
  const response = await door.fetch(new Request(`${door.base}/link`, { method: "POST", headers }));
  if (!response.ok) throw appError("not-supported", "The app is open, but not in a browser.");
  return ((await response.json()) as { url: string }).url;
}

/** Opens the default browser; where there is none the address is still printed. */
function openBrowser(url: string): ChildProcess {
  const [command, ...args] =
    process.platform === "win32"
      ? ["rundll32", "url.dll,FileProtocolHandler", url]
      : [process.platform === "darwin" ? "open" : "xdg-open", url];
  const opener = spawn(command!, args, { stdio: "ignore", detached: true });
  opener.once("error", () => process.stdout.write(`Open this address: ${url}\n`));
  opener.unref();
  return opener;
}
