import type { Client } from "../core/client.ts";
import type { Router } from "./router.ts";

/** The router as a Client: what the CLI uses, so that a command runs the same against its own app or another's. */
export function createDirectClient(router: Router): Client {
  const never = new AbortController().signal;
  return {
    call: (name, input, signal = never) => router.call(name, input, signal) as never,
    // async generator: a bad input must be thrown by the first `next`, as over a door, not by the call.
    async *stream(name, input, signal = never) {
      yield* router.stream(name, input, signal).events as AsyncGenerator<never, void, void>;
    },
    bytes: (name, input, signal = never) => router.bytes(name, input, signal),
    upload: (name, request, signal = never) =>
      router.upload(name, { input: request.input, body: chunksOf(request.body) }, signal) as never,
  };
}

async function* chunksOf(body: Blob | Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (body instanceof Uint8Array) yield body;
  else yield* body.stream() as unknown as AsyncIterable<Uint8Array>;
}
