import { createHash } from "node:crypto";
import { link, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, type TensorProto } from "../../models/onnx/onnx-proto.ts";
import { parseGraph } from "../../models/pack/graph-references.ts";
import { readPack } from "../../models/pack/read-pack.ts";
import { OrtLanguageModel } from "../../models/runtime/language-model.ts";
import { OrtVisionModel } from "../../models/runtime/vision-model.ts";
import { ChatTemplate } from "../../models/text/chat-template.ts";
import { TextTokenizer } from "../../models/text/tokenizer.ts";
import { layoutKinds } from "./layout-cases.ts";
import { importKinds } from "./import-cases.ts";
import { mutateBytes, mutateJson, pick, type Random } from "./mutations.ts";
import { signatureKind } from "./signature-cases.ts";

export const never = new AbortController().signal;

/** One kind of hostile file: `run` damages it and reads it as the app does; it throws what the app would throw. */
export interface CaseKind {
  readonly name: string;
  /** No file outside this folder may be opened. */
  readonly root: string;
  run(random: Random): Promise<void>;
  /** Puts back what `run` changed, and says what it left behind that must not be there. */
  restore(): Promise<string[]>;
}

export interface CaseSources {
  /** An imported pack that can be asked. */
  readonly pack: string;
  readonly gguf: string;
  /** A folder with config.json, tokenizer and safetensors. */
  readonly checkpoint: string;
  /** Empty; the cases work in it. */
  readonly work: string;
  /** test/fixtures/models */
  readonly fixtures: string;
}

export async function caseKinds(sources: CaseSources): Promise<CaseKind[]> {
  const pack = await packFiles(sources);
  return [
    packKind(pack, { name: "pack.json", change: changeDescription }),
    packKind(pack, { name: "pack file", change: changeAnyFile }),
    packKind(pack, { name: "pack link", change: changeLink }),
    packKind(pack, { name: "external data", change: changeReference }),
    packKind(pack, { name: "graph", change: changeGraph, open: false }),
    packKind(pack, { name: "tokenizer", change: changeTokenizer }),
    ...(await importKinds(sources)),
    ...(await layoutKinds(sources)),
    await signatureKind(sources),
  ];
}

interface PackFiles {
  readonly folder: string;
  /** Outside the pack: what links and paths are pointed at. */
  readonly outside: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

async function packFiles({ pack, work }: CaseSources): Promise<PackFiles> {
  const folder = path.join(work, "packs", "hostile");
  const outside = path.join(work, "outside.bin");
  await mkdir(folder, { recursive: true });
  const files = new Map<string, Uint8Array>();
  for (const name of await readdir(pack))
    files.set(name, new Uint8Array(await readFile(path.join(pack, name))));
  for (const [name, bytes] of files) await writeFile(path.join(folder, name), bytes);
  await writeFile(outside, new Uint8Array(1_000_000));
  return { folder, outside, files };
}

type Change = (pack: PackFiles, random: Random) => Promise<void>;

function packKind(
  pack: PackFiles,
  { name, change, open = true }: { readonly name: string; readonly change: Change; readonly open?: boolean },
): CaseKind {
  return {
    name,
    root: path.dirname(pack.folder),
    async run(random) {
      await change(pack, random);
      const contents = await readPack(pack.folder, never);
      const tokenizer = new TextTokenizer(contents.tokenizer.json, contents.tokenizer.config);
      const { source, tokens } = contents.chatTemplate;
      tokenizer.encode(
        new ChatTemplate(source, tokens).render([{ role: "user", content: "Is there a mass?" }]),
      );
      if (!open) return;
      const cpu = { provider: null, threads: 1 } as const;
      const { graphs, vocabulary, image, summary } = contents;
      const language = await OrtLanguageModel.open(
        { ...graphs, vocabulary, contextLength: summary.contextLength },
        cpu,
      );
      try {
        const { width, height, tokens: count } = image;
        const vision = { graph: graphs.vision, width, height, tokens: count, hidden: language.hidden };
        await (await OrtVisionModel.open(vision, cpu)).dispose();
      } finally {
        await language.dispose();
      }
    },
    async restore() {
      const left = (await readdir(pack.folder)).filter((file) => !pack.files.has(file));
      for (const file of left) await rm(path.join(pack.folder, file), { recursive: true });
      for (const [file, bytes] of pack.files) {
        await rm(path.join(pack.folder, file), { force: true, recursive: true });
        await writeFile(path.join(pack.folder, file), bytes);
      }
      return [];
    },
  };
}

export const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
export const octets = (value: string) => new TextEncoder().encode(value);

/** Writes a file with the digest that pack.json then states, as one who made a hostile pack would. */
async function writeSigned(pack: PackFiles, name: string, bytes: Uint8Array): Promise<void> {
  const description = JSON.parse(text(pack.files.get("pack.json"))) as {
    files: { path: string; bytes: number; sha256: string }[];
  };
  for (const file of description.files) {
    if (file.path !== name) continue;
    file.bytes = bytes.length;
    file.sha256 = createHash("sha256").update(bytes).digest("hex");
  }
  await writeFile(path.join(pack.folder, name), bytes);
  await writeFile(path.join(pack.folder, "pack.json"), JSON.stringify(description));
}

const changeDescription: Change = async (pack, random) => {
  const whole = text(pack.files.get("pack.json"));
  const changed = random() < 0.85 ? octets(mutateJson(whole, random)) : mutateBytes(octets(whole), random);
  await writeFile(path.join(pack.folder, "pack.json"), changed);
};

const changeAnyFile: Change = async (pack, random) => {
  const name = pick(
    random,
    [...pack.files.keys()].filter((file) => file !== "pack.json"),
  );
  const bytes = pack.files.get(name) as Uint8Array;
  if (random() < 0.1) await rm(path.join(pack.folder, name));
  else {
    let changed = mutateBytes(bytes, random);
    // Zeros over zeros are no damage.
    while (Buffer.compare(changed, bytes) === 0) changed = mutateBytes(bytes, random);
    await writeFile(path.join(pack.folder, name), changed);
  }
};

const changeLink: Change = async (pack, random) => {
  const name = pick(random, [...pack.files.keys()]);
  const place = path.join(pack.folder, name);
  await rm(place);
  await writeFile(pack.outside, pack.files.get(name) as Uint8Array);
  if (random() < 0.5) await symlink(pack.outside, place);
  else await link(pack.outside, place);
};

/** The description stays true to the file: only the references inside the graph are hostile. */
const changeReference: Change = async (pack, random) => {
  const name = pick(random, ["decoder.onnx", "embed.onnx", "vision.onnx"]);
  const model = parseGraph(pack.files.get(name) as Uint8Array);
  const external = (model.graph?.initializer ?? []).filter((tensor) => tensor.externalData.length > 0);
  for (let i = Math.floor(random() * 3); i >= 0; i--) damageReference(pick(random, external), random);
  await writeSigned(pack, name, toBinary(ModelProtoSchema, model));
};

export function damageReference(tensor: TensorProto, random: Random): void {
  const entry = pick(random, tensor.externalData);
  switch (Math.floor(random() * 6)) {
    case 0:
      entry.value = pick(random, [
        "../../outside.bin",
        "/etc/passwd",
        "packs/hostile/weights-0.bin",
        "pack.json",
        "",
      ]);
      return;
    case 1:
      entry.value = pick(random, [
        "-1",
        "18446744073709551615",
        "9007199254740993",
        "1e3",
        "0x10",
        " 0",
        "99999999",
      ]);
      return;
    case 2:
      tensor.externalData.push({ ...entry, value: "0" });
      return;
    case 3:
      tensor.dims[0] = pick(random, [-1n, 0n, 2n ** 62n, 2n ** 32n, 7n]);
      return;
    case 4:
      tensor.dataType = pick(random, [0, 1, 7, 8, 10, 11, 99]);
      return;
    default:
      entry.key = pick(random, ["location", "offset", "length", "checksum", ""]);
  }
}

const changeGraph: Change = async (pack, random) => {
  const name = pick(random, ["decoder.onnx", "embed.onnx", "vision.onnx"]);
  await writeSigned(pack, name, mutateBytes(pack.files.get(name) as Uint8Array, random));
};

const changeTokenizer: Change = async (pack, random) => {
  const name = pick(random, ["tokenizer.json", "tokenizer_config.json"]);
  const whole = text(pack.files.get(name));
  const changed = random() < 0.8 ? octets(mutateJson(whole, random)) : mutateBytes(octets(whole), random);
  await writeSigned(pack, name, changed);
};
