import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";

/** Engines that a pack's speed can be compared with; each is a program in `peers/` of a folder (test/bench). */
const programs: Readonly<Record<string, { readonly file: string; readonly python: boolean }>> = {
  "llama.cpp": { file: "llama-cpp.mjs", python: false },
  "transformers.js": { file: "transformers-js.mjs", python: false },
  "onnxruntime-genai": { file: "onnxruntime-genai.py", python: true },
};
export const peerNames = Object.keys(programs);

/** Figures as `meditron models bench` names them. */
export type Figures = Readonly<Record<string, number>>;

export interface PeerRequest {
  /** Where `peers/` and the engines' packages lie. */
  readonly folder: string;
  /** The same weights in the engine's own form; null: not given. */
  readonly model: string | null;
  readonly threads: number;
  /** Tokens. */
  readonly contexts: readonly number[];
  readonly prompt: number;
  readonly decoded: number;
  /** The program that runs Python peers. */
  readonly python: string;
}

/** What came of starting an engine. */
export type PeerStart =
  /** `details`: what the engine says of itself, e.g. its version and the back-end that it loaded. */
  | { readonly status: "ready"; readonly details: Readonly<Record<string, string>>; readonly peer: Peer }
  | { readonly status: "not-installed" | "no-model" | "failed"; readonly reason: string };

export interface Peer {
  readonly name: string;
  /** One round of measuring. @throws Error with what the engine said */
  round(): Promise<Figures>;
  stop(): void;
}

/** Starts an engine in a process of its own and waits until it has loaded the model. */
export async function startPeer(name: string, request: PeerRequest, signal: AbortSignal): Promise<PeerStart> {
  const program = programs[name];
  const file = program && path.join(request.folder, "peers", program.file);
  if (program === undefined || file === undefined || !existsSync(file)) {
    return { status: "not-installed", reason: `${request.folder} holds no peers/${program?.file ?? name}.` };
  }
  if (request.model === null) {
    return { status: "no-model", reason: `Nothing says where its model is (--model ${name}=PATH).` };
  }
  const { folder: _, python, ...task } = request;
  const child = spawn(program.python ? python : process.execPath, [file, JSON.stringify(task)], {
    stdio: ["pipe", "pipe", "inherit"],
    signal,
  });
  const lines = new Lines(child);
  const first = await lines.next();
  if (first["ready"] !== undefined) {
    return { status: "ready", details: textsOf(first["ready"]), peer: peerOf(name, child, lines) };
  }
  child.kill();
  const missing = first["missing"];
  return typeof missing === "string"
    ? { status: "not-installed", reason: missing }
    : { status: "failed", reason: String(first["error"]) };
}

function peerOf(name: string, child: ChildProcess, lines: Lines): Peer {
  return {
    name,
    async round() {
      child.stdin?.write("round\n");
      const answer = await lines.next();
      if (answer["figures"] === undefined) throw new Error(`${name}: ${String(answer["error"])}`);
      return figuresOf(answer["figures"]);
    },
    stop() {
      child.stdin?.end();
      child.kill();
    },
  };
}

/** What a program says, one JSON object a line; engines that write other things on their standard output are heard past. */
class Lines {
  readonly #lines: AsyncIterator<string>;
  #failure: string | null = null;

  constructor(child: ChildProcess) {
    const reader: Interface = createInterface({ input: child.stdout! });
    this.#lines = reader[Symbol.asyncIterator]();
    child.on("error", (error) => {
      this.#failure = error.message;
      reader.close();
    });
    // A peer that ended does not read its input.
    child.stdin?.on("error", () => undefined);
  }

  async next(): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) return { error: this.#failure ?? "The program ended." };
      if (!value.startsWith("{")) continue;
      try {
        return JSON.parse(value) as Record<string, unknown>;
      } catch {
        continue;
      }
    }
  }
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(value ?? {}).map(([name, text]) => [name, String(text)]));
}

function figuresOf(value: unknown): Figures {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter((pair): pair is [string, number] => typeof pair[1] === "number"),
  );
}
