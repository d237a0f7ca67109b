import { existsSync } from "node:fs";
import path from "node:path";
import type { StreamEvent } from "../../../core/contract.ts";
import { appError } from "../../../core/errors.ts";
import {
  type PackSignature,
  type PackSummary,
  type PackWeights,
  packWeights,
  type ProviderStatus,
} from "../../../core/model-pack.ts";
import type { Folders } from "../../folders.ts";
import type { Command, Values } from "../command.ts";
import type { Output } from "../output.ts";
import { listOption, requiredOption, textOption } from "../values.ts";

export const modelsListCommand: Command = {
  name: "models list",
  usage: "[--providers]",
  summary: "List the installed model packs.",
  options: { providers: { type: "boolean" } },
  help: { "--providers": "also test which execution providers work on this machine" },
  async run({ values, output, signal, own }) {
    const packs = await own().call("models.list", {}, signal);
    const providers = values["providers"] ? await own().call("models.providers", {}, signal) : null;
    const standings = await own().call("models.standings", {}, signal);
    const fits = await own().call("models.fit", {}, signal);
    const lines = packs.flatMap((pack) => {
      const fit = fits.find(({ digest }) => digest === pack.digest);
      return [packLine(pack), ...(fit ? [`    ${fit.text}`] : [])];
    });
    for (const { name, decision } of standings) {
      if (decision.status === "refused") lines.push(`${name}: refused. ${decision.reason}`);
    }
    if (providers) lines.push(...providers.map(providerLine));
    output.result(
      { packs, standings, fits, ...(providers ? { providers } : {}) },
      lines.join("\n") || "No packs.",
    );
  },
};

export const modelsVerifyCommand: Command = {
  name: "models verify",
  usage: "NAME_OR_FOLDER [--key FILE,…] [--certificates FILE,…]",
  summary: "Check every file of a pack against its digests, and its signature.",
  options: { key: { type: "string" }, certificates: { type: "string" } },
  help: {
    "--key FILE,…": "public keys (PEM) whose signatures count, instead of the policy's",
    "--certificates FILE,…": "certificates of authorities (PEM) whose signers count, instead of the policy's",
  },
  async run({ positionals, values, output, signal, own, folders }) {
    const folder = packFolder(positionals, folders, "verify");
    const paths = (name: string) => (listOption(values, name) ?? []).map((file) => path.resolve(file));
    const request = { folder, keys: paths("key"), certificates: paths("certificates") };
    let pack: PackSummary | null = null;
    for await (const event of own().stream("models.check", { folder }, signal)) {
      if (event.type === "done") pack = event.pack;
      else output.progress(progressLine(event));
    }
    const signature = await own().call("models.signature", request, signal);
    if (pack !== null) output.result({ pack, signature }, `${packLine(pack)}\n${signatureLine(signature)}`);
  },
};

export const modelsSignCommand: Command = {
  name: "models sign",
  usage: "NAME_OR_FOLDER --key FILE [--certificates FILE,…] [--passphrase-file FILE]",
  summary: "Sign a pack (OpenSSF Model Signing), so that other machines can tell whose it is.",
  options: {
    key: { type: "string" },
    certificates: { type: "string" },
    "passphrase-file": { type: "string" },
  },
  help: {
    "--key FILE": "private key on the curve P-256, P-384 or P-521 (PEM)",
    "--certificates FILE,…": "the signer's certificate, then those that lead to its authority (PEM)",
    "--passphrase-file FILE": "holds the passphrase of the private key",
  },
  async run({ positionals, values, output, signal, own, folders }) {
    const passphrase = textOption(values, "passphrase-file");
    const request = {
      folder: packFolder(positionals, folders, "sign"),
      key: path.resolve(requiredOption(values, "key")),
      passphrase: passphrase === null ? null : path.resolve(passphrase),
      certificates: (listOption(values, "certificates") ?? []).map((file) => path.resolve(file)),
    };
    const { signer } = await own().call("models.sign", request, signal);
    output.result({ signer }, signatureLine({ status: "holds", signer }));
  },
};

function packFolder(positionals: readonly string[], folders: Folders, command: string): string {
  const [target] = positionals;
  if (target === undefined) throw appError("usage", `Which pack? meditron models ${command} NAME_OR_FOLDER`);
  const places = [path.resolve(target), ...folders.packs.map((folder) => path.join(folder, target))];
  const folder = places.find((place) => existsSync(path.join(place, "pack.json")));
  if (!folder) throw appError("pack-not-found", `There is no pack "${target}".`);
  return folder;
}

function signatureLine(signature: PackSignature): string {
  switch (signature.status) {
    case "none":
      return "not signed";
    case "unchecked":
      return "signed; nothing says whose signatures count (give --key or --certificates, or a policy)";
    case "holds": {
      const { signer } = signature;
      const who = signer.type === "key" ? "the key" : `${signer.subject},`;
      return `signed by ${who} ${signer.fingerprint.slice(0, 16)}`;
    }
  }
}

export const modelsImportCommand: Command = {
  name: "models import",
  usage:
    "CHECKPOINT --name NAME [--base-config FILE] [--adapter FOLDER] [--weights 4bit-mixed] [--kv-cache int8]",
  summary: "Make a model pack out of a checkpoint (GGUF file or folder with safetensors).",
  options: {
    name: { type: "string" },
    adapter: { type: "string" },
    "base-config": { type: "string" },
    "kv-cache": { type: "string" },
    weights: { type: "string" },
  },
  help: {
    "--name NAME": "what the pack is called: small letters, digits, dots and dashes",
    "--adapter FOLDER": "a LoRA adapter as PEFT writes it, merged into the language model",
    "--base-config FILE": "settings of the models that the checkpoint only names (docs/model-guide.md)",
    "--weights 4bit-mixed":
      "8 bits for the layers that lose most; or 4bit (the default), 8bit for all, 16bit for a graphics card",
    "--kv-cache int8": "keep what is read in 8 bits: a quarter of the memory, on the processor only",
  },
  async run({ positionals, values, output, signal, own }) {
    const [source] = positionals;
    if (source === undefined)
      throw appError("usage", "Which checkpoint? meditron models import CHECKPOINT --name NAME");
    if (!existsSync(source)) throw appError("file-not-found", `There is no file or folder "${source}".`);
    const { adapter } = values;
    const baseConfig = values["base-config"];
    const kvCache = cacheOption(values);
    const weights = weightsOption(values);
    const request = {
      source: path.resolve(source),
      name: requiredOption(values, "name"),
      kvCache,
      weights,
      ...(typeof adapter === "string" ? { adapter: path.resolve(adapter) } : {}),
      ...(typeof baseConfig === "string" ? { baseConfig: path.resolve(baseConfig) } : {}),
    };
    await reportPack(own().stream("models.import", request, signal), output);
  },
};

function weightsOption(values: Values): PackWeights {
  const kept = textOption(values, "weights") ?? "4bit";
  const known = packWeights.find((one) => one === kept);
  if (known !== undefined) return known;
  throw appError("usage", "--weights takes 4bit (the default), 4bit-mixed, 8bit or 16bit.");
}

function cacheOption(values: Values): "float32" | "int8" {
  const kept = textOption(values, "kv-cache") ?? "float32";
  if (kept === "float32" || kept === "int8") return kept;
  throw appError("usage", "--kv-cache takes int8, or float32 (the default).");
}

export const modelsRemoveCommand: Command = {
  name: "models remove",
  usage: "NAME",
  summary: "Remove a pack that was added; the one that came with the app stays.",
  options: {},
  help: {},
  async run({ positionals, output, signal, owner }) {
    const [name] = positionals;
    if (name === undefined) throw appError("usage", "Which pack? meditron models remove NAME");
    await (await owner()).call("models.remove", { name }, signal);
    output.result({ removed: name }, `${name} removed`);
  },
};

async function reportPack(
  events: AsyncGenerator<StreamEvent<"models.check">, void, void>,
  output: Output,
): Promise<void> {
  for await (const event of events) {
    if (event.type === "done") output.result({ pack: event.pack }, packLine(event.pack));
    else output.progress(progressLine(event));
  }
}

function providerLine({ name, status, reason, unproven, images_only }: ProviderStatus): string {
  const marks = [...(unproven ? ["unproven"] : []), ...(images_only ? ["image encoder only"] : [])];
  return `${name}: ${[status, ...marks].join(", ")}. ${reason}`;
}

function progressLine({ stage, fraction }: { stage: string; fraction: number | null }): string {
  return fraction === null ? stage : `${stage} ${Math.round(fraction * 100)} %`;
}

function packLine({ name, version, licence, bytes, calibrated, intendedFor }: PackSummary): string {
  const size = `${Math.round(bytes / 1e6)} MB`;
  const uses = intendedFor.map((use) => use.name).join(", ");
  return `${name} ${version}  ${size}  ${licence}  ${calibrated ? "calibrated" : "not calibrated"}  ${uses}`;
}
