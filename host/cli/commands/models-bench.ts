import path from "node:path";
import { appError, throwIfAborted } from "../../../core/errors.ts";
import type { Input } from "../../../core/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { medians, ratios } from "../compare-engines.ts";
import { type Figures, type Peer, peerNames, startPeer } from "../peers.ts";
import { listOption, textOption, wholeOption } from "../values.ts";

type Report = Record<string, unknown> & {
  readonly engines: { readonly ours: Figures };
  readonly bandwidth?: Figures | null;
};

export const modelsBenchCommand: Command = {
  name: "models bench",
  usage: "[NAME] [--rounds N] [--against ENGINE,… --model ENGINE=PATH,… [--peers FOLDER] [--python FILE]]",
  summary:
    "Measure how fast a pack, or the language model it is built on, is on this machine, beside other engines where they are installed.",
  options: {
    rounds: { type: "string" },
    against: { type: "string" },
    model: { type: "string" },
    peers: { type: "string" },
    python: { type: "string" },
  },
  help: {
    "--rounds N": "medians over so many rounds (default 5)",
    "--against ENGINE,…": `compare with ${peerNames.join(", ")}, in turns`,
    "--model ENGINE=PATH,…": "the same weights in the form that the engine reads (docs/benchmarks/llm.md)",
    "--peers FOLDER": "where the engines are installed (default test/bench)",
    "--python FILE": "the Python that onnxruntime-genai is installed for (default python3)",
  },
  async run(invocation) {
    const { output, values } = invocation;
    const against = listOption(values, "against") ?? [];
    const report = against.length === 0 ? await measure(invocation, {}) : await compare(invocation, against);
    output.result(report, benchLines(report));
  },
};

async function measure(
  { positionals, values, output, own, signal }: Invocation,
  options: Partial<Input<"models.bench">>,
): Promise<Report> {
  const rounds = wholeOption(values, "rounds");
  const request = { pack: positionals[0] ?? null, ...(rounds === null ? {} : { rounds }), ...options };
  for await (const event of own().stream("models.bench", request, signal)) {
    if (event.type === "done") return event.report as Report;
    output.progress(`${event.text} ${Math.round(event.fraction * 100)} %`);
  }
  throw appError("stream-cut", "The measurement ended without a result.");
}

/** Ours and the peers in turns, so that what else the machine does meets all of them. */
async function compare(invocation: Invocation, against: readonly string[]): Promise<Report> {
  const { values, output, signal, folders } = invocation;
  const unknown = against.find((name) => !peerNames.includes(name));
  if (unknown !== undefined)
    throw appError("usage", `--against knows ${peerNames.join(", ")}; "${unknown}" is none of them.`);
  const models = modelPaths(listOption(values, "model") ?? []);
  const rounds = wholeOption(values, "rounds") ?? 5;
  // A round that does not count: what is made once is made here.
  const warm = await measure(invocation, { rounds: 1, parts: ["text"], warmUp: false });
  const { contexts, prompt } = tokensOf(warm.engines.ours);
  const peers: Peer[] = [];
  const told: Record<string, unknown> = {};
  /** Null: the engine failed and is measured no further; the others are. */
  const tryRound = async (peer: Peer): Promise<Figures | null> => {
    try {
      return await peer.round();
    } catch (thrown) {
      throwIfAborted(signal);
      const reason = thrown instanceof Error ? thrown.message.slice(0, 500) : "It failed.";
      output.progress(`${peer.name}: failed. ${reason}`);
      told[peer.name] = { status: "failed", reason };
      peers.splice(peers.indexOf(peer), 1);
      peer.stop();
      return null;
    }
  };
  try {
    for (const name of against) {
      output.progress(`${name}: loading`);
      const started = await startPeer(
        name,
        {
          folder: path.resolve(textOption(values, "peers") ?? path.join(folders.root, "test", "bench")),
          model: models.get(name) ?? null,
          threads: Number(warm["threads"]),
          contexts,
          prompt,
          decoded: 32,
          python: textOption(values, "python") ?? "python3",
        },
        signal,
      );
      if (started.status === "ready") {
        peers.push(started.peer);
        told[name] = { status: "measured", model: models.get(name), ...started.details };
        await tryRound(started.peer);
      } else {
        output.progress(`${name}: ${started.status}. ${started.reason}`);
        told[name] = { status: started.status, reason: started.reason };
      }
    }
    const samples = new Map<string, Figures[]>([["ours", []]]);
    const bandwidths: Figures[] = [];
    for (const { name } of peers) samples.set(name, []);
    for (let round = 0; round < rounds; round++) {
      output.progress(`round ${round + 1} of ${rounds}`);
      const own = await measure(invocation, { rounds: 1, parts: ["text", "bandwidth"], warmUp: false });
      if (own.bandwidth) bandwidths.push(own.bandwidth);
      samples.get("ours")!.push(own.engines.ours);
      // A peer that fails leaves the list meanwhile.
      const left = peers.slice();
      for (const peer of left) {
        const figures = await tryRound(peer);
        if (figures === null) samples.delete(peer.name);
        else samples.get(peer.name)!.push(figures);
      }
    }
    for (const peer of peers.splice(0)) peer.stop();
    // What no peer has, with nothing else loaded.
    const rest = await measure(invocation, { parts: ["image", "evidence"] });
    const theirs = [...samples].slice(1).map(([name, list]) => [name, medians(list)] as const);
    const ours = { ...medians(samples.get("ours")!), ...rest.engines.ours };
    return {
      ...rest,
      rounds,
      engines: { ours, ...Object.fromEntries(theirs) },
      ratios: Object.fromEntries(theirs.map(([name, figures]) => [name, ratios(ours, figures)])),
      bandwidth: bandwidths.length > 0 ? medians(bandwidths) : null,
      peers: told,
    };
  } finally {
    for (const peer of peers) peer.stop();
  }
}

/** ENGINE=PATH */
function modelPaths(entries: readonly string[]): Map<string, string> {
  return new Map(
    entries.map((entry) => {
      const at = entry.indexOf("=");
      if (at < 1) throw appError("usage", `--model takes ENGINE=PATH; "${entry}" is not that.`);
      return [entry.slice(0, at), path.resolve(entry.slice(at + 1))];
    }),
  );
}

/** Behind how many tokens our pack was measured: what its context holds. */
function tokensOf(ours: Figures): { contexts: number[]; prompt: number } {
  const numbers = (kind: string) =>
    Object.keys(ours).flatMap((name) => (name.startsWith(`${kind}@`) ? Number(name.split("@")[1]) : []));
  return { contexts: numbers("decode"), prompt: numbers("prefill")[0] ?? 0 };
}

function benchLines({ engines, ...report }: Report): string {
  const lines = Object.entries(engines).flatMap(([engine, figures]) => [
    engine === "ours" ? "" : engine,
    ...Object.entries(figures).map(([name, value]) => `${name.padEnd(24)}${value} ${unitOf(name)}`.trimEnd()),
  ]);
  const ratioLines = Object.entries((report["ratios"] ?? {}) as Record<string, Figures>).map(
    ([name, of]) =>
      `ours to ${name}: ${Object.entries(of)
        .map(([figure, ratio]) => `${figure} ${ratio}`)
        .join(", ")}`,
  );
  const peerLines = Object.entries((report["peers"] ?? {}) as Record<string, Record<string, string>>)
    .filter(([, { status }]) => status !== "measured")
    .map(([name, { status, reason }]) => `${name}: ${status}. ${reason}`);
  return [...lines, ...ratioLines, ...peerLines].filter((line) => line !== "").join("\n");
}

function unitOf(name: string): string {
  if (name.includes("@")) return "tokens/s";
  return name.endsWith("_ms") ? "ms" : name.endsWith("_mb") ? "MB" : "";
}
