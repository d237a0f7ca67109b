import { createRequire } from "node:module";
import type { LibraryHandle } from "koffi";
import type { SessionOptions, SessionProvider } from "../../../models/runtime/engine.ts";
import { check, ortEnvironment, take } from "../../../models/runtime/ort/environment.ts";
import type { OutHandle } from "../../../models/runtime/ort/functions.ts";
import { type Handle, ortLibraryPath } from "../../../models/runtime/ort/library.ts";
import { openCRuntime, type Runtime } from "../../../models/runtime/runtime.ts";

/** koffi unloads a library that nothing refers to. */
let library: LibraryHandle | undefined;

type Koffi = typeof import("koffi");

/** Positions in struct OrtApi, as in models/runtime/ort/functions.ts. */
const createAndRegisterAllocator = 144;
const createArenaCfg = 156;

/**
 * Limits the memory that sessions on a "card" take to `bytes`: ONNX Runtime's own arena for the processor, of which a
 * process has one, fails beyond it as a card's does, while a graph runs. Once a process.
 */
export function limitCard(bytes: number): void {
  const { array, decode, load, proto } = createRequire(import.meta.url)("koffi") as Koffi;
  const { env, functions, cpuMemory } = ortEnvironment();
  library = load(ortLibraryPath());
  const getApiBase = library.func("OrtGetApiBase", "void *", []) as () => Handle;
  const [getApiAt] = decode(getApiBase(), array("void *", 2)) as Handle[];
  const getApi = decode(getApiAt!, proto("void *", ["uint32_t"])) as (version: number) => Handle;
  const table = decode(getApi(18), array("void *", createArenaCfg + 1)) as Handle[];
  type Create = (
    most: number,
    strategy: number,
    first: number,
    dead: number,
    out: OutHandle,
  ) => Handle | null;
  const create = decode(
    table[createArenaCfg]!,
    proto("void *", ["size_t", "int", "int", "int", "_Out_ void **"]),
  ) as Create;
  type Register = (env: Handle, info: Handle, config: Handle) => Handle | null;
  const register = decode(
    table[createAndRegisterAllocator]!,
    proto("void *", ["void *", "void *", "void *"]),
  ) as Register;
  const asRequested = 1;
  const config = take(functions, (out) => create(bytes, asRequested, 64 * 1024, -1, out));
  check(functions, register(env, cpuMemory, config));
}

export const smallCard: SessionProvider = { name: "small-card", options: {}, memory: null };

/** The C interface, where "small-card" is the limited arena. Says what was opened on what. */
export async function smallCardRuntime(opened: string[] = []): Promise<Runtime> {
  const runtime = await openCRuntime();
  const placed = (what: string, options: SessionOptions): SessionOptions => {
    opened.push(`${what} on ${options.provider?.name ?? "cpu"}`);
    return options.provider === null
      ? options
      : { ...options, provider: null, entries: { "session.use_env_allocators": "1" } };
  };
  return {
    instead: null,
    version: runtime.version,
    openLanguage: (source, options) => runtime.openLanguage(source, placed("language", options)),
    openVision: (source, options) => runtime.openVision(source, placed("vision", options)),
  };
}
