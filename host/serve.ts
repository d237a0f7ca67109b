import type { App } from "./app.ts";
import { errorResponse, type RequestHandler } from "./transports/fetch.ts";
import { startLoopback, windowLinkLifeMs } from "./transports/loopback.ts";
import { appError } from "../core/errors.ts";

export interface Served {
  readonly app: App;
  readonly port: number;
  /** "window": for a window that is opened now; "printed": good until it is used. */
  link(use: "window" | "printed"): string;
  close(): Promise<void>;
}

export interface ServeRequest {
  /** 0: any free port. */
  readonly port: number;
  make(forOthers: (handle: RequestHandler) => RequestHandler): App;
}

/** The app on the loopback host. Other programs of this user may ask it for another address (`serve --link`). */
export async function serveApp({ port, make }: ServeRequest): Promise<Served> {
  let newLink: (() => string) | null = null;
  const app = make((handle) => async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname !== "/link") return handle(request);
    if (!newLink) return errorResponse(appError("process-lost", "The app is starting. Try again."));
    return Response.json({ url: newLink() });
  });
  await app.takeFolder();
  const loopback = await startLoopback({ handle: app.handle, port });
  newLink = () => loopback.link(null);
  return {
    app,
    port: loopback.port,
    link: (use) => loopback.link(use === "window" ? windowLinkLifeMs : null),
    async close() {
      await loopback.close();
      await app.stop();
    },
  };
}
