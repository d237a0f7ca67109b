import { appError, errorFromRecord } from "./errors.ts";
import type {
  BytesName,
  CallName,
  Input,
  Output,
  ProcedureName,
  StreamEvent,
  StreamLine,
  StreamName,
  UploadName,
} from "./contract.ts";

/** How a client reaches the app: `fetch` of the browser or Electron, or `handleRequest` itself in a test. */
export interface Door {
  readonly base: string;
  fetch(request: Request): Promise<Response>;
  /** The bearer of the loopback host; null in Electron. */
  authorization(): string | null;
}

export interface Client {
  call<Name extends CallName>(name: Name, input: Input<Name>, signal?: AbortSignal): Promise<Output<Name>>;
  stream<Name extends StreamName>(
    name: Name,
    input: Input<Name>,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamEvent<Name>, void, void>;
  bytes<Name extends BytesName>(name: Name, input: Input<Name>, signal?: AbortSignal): Promise<Uint8Array>;
  upload<Name extends UploadName>(
    name: Name,
    request: UploadRequest<Name>,
    signal?: AbortSignal,
  ): Promise<Output<Name>>;
}

export interface UploadRequest<Name extends UploadName> {
  readonly input: Input<Name>;
  readonly body: Blob | Uint8Array<ArrayBuffer>;
}

export function createClient(door: Door): Client {
  async function send(name: ProcedureName, init: RequestInit, query = ""): Promise<Response> {
    const headers = new Headers(init.headers);
    const authorization = door.authorization();
    if (authorization) headers.set("authorization", authorization);
    const response = await door
      .fetch(new Request(`${door.base}/api/${name}${query}`, { method: "POST", ...init, headers }))
      .catch((cause: unknown) => {
        if (init.signal?.aborted) throw appError("cancelled", "Cancelled.");
        throw appError("process-lost", "The app does not answer. Start it again.", cause);
      });
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  const post = (name: ProcedureName, input: unknown, signal?: AbortSignal) =>
    send(name, {
      body: JSON.stringify(input),
      headers: { "content-type": "application/json" },
      signal: signal ?? null,
    });

  async function* stream<Name extends StreamName>(
    name: Name,
    input: Input<Name>,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamEvent<Name>, void, void> {
    const response = await post(name, input, signal);
    let id: string | undefined;
    let finished = false;
    const stop = () => {
      if (id !== undefined && !finished) void post("streams.cancel", { stream: id }).catch(() => undefined);
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for await (const line of readLines(response)) {
        const parsed = JSON.parse(line) as StreamLine<StreamEvent<Name>>;
        if ("stream" in parsed) {
          id = parsed.stream;
          if (signal?.aborted) stop();
        } else if ("event" in parsed) yield parsed.event;
        else {
          finished = true;
          if ("error" in parsed) throw errorFromRecord(parsed.error);
          return;
        }
      }
      finished = true;
      throw appError("stream-cut", "The connection to the app broke off. Try again.");
    } catch (thrown) {
      if (signal?.aborted) throw appError("cancelled", "Cancelled.", thrown);
      throw thrown;
    } finally {
      signal?.removeEventListener("abort", stop);
      stop();
      finished = true;
    }
  }

  return {
    call: async (name, input, signal) => (await (await post(name, input, signal)).json()) as never,
    stream,
    bytes: async (name, input, signal) =>
      new Uint8Array(await (await post(name, input, signal)).arrayBuffer()),
    upload: async (name, request, signal) => {
      const query = `?input=${encodeURIComponent(JSON.stringify(request.input))}`;
      const init: RequestInit = {
        body: request.body,
        headers: { "content-type": "application/octet-stream" },
        signal: signal ?? null,
      };
      return (await (await send(name, init, query)).json()) as never;
    },
  };
}

async function errorOf(response: Response): Promise<Error> {
  const body = (await response.json().catch(() => null)) as {
    error?: { code?: string; message?: string };
  } | null;
  const { code, message } = body?.error ?? {};
  return errorFromRecord({
    code: code ?? "internal",
    message: message ?? `The app answered ${response.status}.`,
  });
}

/** Lines of a text body, however its chunks were cut. */
async function* readLines(response: Response): AsyncGenerator<string, void, void> {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((cause: unknown) => {
        throw appError("stream-cut", "The connection to the app broke off. Try again.", cause);
      });
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield line;
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
