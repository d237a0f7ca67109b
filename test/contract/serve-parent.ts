import { serveApi } from "../../core/rpc.ts";

/** The child's end of `child_process.fork`, as archive/process.ts and models/process.ts have it. */
export function serveParent(api: object): void {
  serveApi(
    {
      post: (message) => void process.send?.(message),
      onMessage: (listener) => void process.on("message", listener),
      onExit: (listener) => void process.once("disconnect", () => listener("the app ended")),
      close: () => process.exit(0),
    },
    api,
    () => undefined,
  );
  process.once("disconnect", () => process.exit(0));
}
