import { existsSync } from "node:fs";
import path from "node:path";
import type { StreamEvent } from "../../../core/contract.ts";
import { appError } from "../../../core/errors.ts";
import type { PackSummary } from "../../../core/model-pack.ts";
import type { Command } from "../command.ts";
import type { Output } from "../output.ts";
import { requiredOption } from "../values.ts";

export const modelsListCommand: Command = {
  name: "models list",
  usage: "[--providers]",
  summary: "List the installed model packs.",
  options: { providers: { type: "boolean" } },
  help: { "--providers": "also test which execution providers work on this machine" },
  async run({ values, output, signal, own }) {
    const packs = await own().call("models.list", {}, signal);
    const providers = values["providers"] ? await own().call("models.providers", {}, signal) : null;
    const lines = packs.map(packLine);
    if (providers)
      lines.push(...providers.map(({ name, status, reason }) => `${name}: ${status}. ${reason}`));
    output.result({ packs, ...(providers ? { providers } : {}) }, lines.join("\n") || "No packs.");
  },
};

export const modelsVerifyCommand: Command = {
  name: "models verify",
  usage: "NAME_OR_FOLDER",
  summary: "Check every file of a pack against its digests, and load it.",
  options: {},
  help: {},
  async run({ positionals, output, signal, own, folders }) {
    const [target] = positionals;
    if (target === undefined) throw appError("usage", "Which pack? meditron models verify NAME_OR_FOLDER");
    const places = [path.resolve(target), ...folders.packs.map((folder) => path.join(folder, target))];
    const folder = places.find((place) => existsSync(path.join(place, "pack.json")));
    if (!folder) throw appError("pack-not-found", `There is no pack "${target}".`);
    await reportPack(own().stream("models.check", { folder }, signal), output);
  },
};

export const modelsImportCommand: Command = {
  name: "models import",
  usage: "CHECKPOINT --name NAME [--base-config FILE]",
  summary: "Make a model pack out of a checkpoint (GGUF file or folder with safetensors).",
  options: { name: { type: "string" }, "base-config": { type: "string" } },
  help: {
    "--name NAME": "what the pack is called: small letters, digits, dots and dashes",
    "--base-config FILE": "settings of the models that the checkpoint only names (docs/model-guide.md)",
  },
  async run({ positionals, values, output, signal, own }) {
    const [source] = positionals;
    if (source === undefined)
      throw appError("usage", "Which checkpoint? meditron models import CHECKPOINT --name NAME");
    if (!existsSync(source)) throw appError("file-not-found", `There is no file or folder "${source}".`);
    const baseConfig = values["base-config"];
    const request = {
      source: path.resolve(source),
      name: requiredOption(values, "name"),
      ...(typeof baseConfig === "string" ? { baseConfig: path.resolve(baseConfig) } : {}),
    };
    await reportPack(own().stream("models.import", request, signal), output);
  },
};

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
    else {
      const share = event.fraction === null ? "" : ` ${Math.round(event.fraction * 100)} %`;
      output.progress(`${event.stage}${share}`);
    }
  }
}

function packLine({ name, version, licence, bytes, calibrated, intendedFor }: PackSummary): string {
  const size = `${Math.round(bytes / 1e6)} MB`;
  const uses = intendedFor.map((use) => use.name).join(", ");
  return `${name} ${version}  ${size}  ${licence}  ${calibrated ? "calibrated" : "not calibrated"}  ${uses}`;
}
