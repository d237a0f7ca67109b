import path from "node:path";
import type { Command } from "../command.ts";
import { openArchive } from "../open-archive.ts";
import { textOption, wholeOption } from "../values.ts";
import { reportImport } from "./import.ts";

export const sampleCommand: Command = {
  name: "sample",
  usage: "[--output DIR] [--seed N]",
  summary: "Import the phantom studies (made by code, nobody's images), or write them as DICOM files.",
  options: { output: { type: "string" }, seed: { type: "string" } },
  help: {
    "--output DIR": "write the files there and import nothing",
    "--seed N": "another phantom of the same kind (with --output)",
  },
  async run(invocation) {
    const { values, output, signal } = invocation;
    const folder = textOption(values, "output");
    if (folder === null) {
      const client = await openArchive(invocation);
      return reportImport(client.stream("imports.sample", {}, signal), output);
    }
    const request = { folder: path.resolve(folder), seed: wholeOption(values, "seed") ?? 1 };
    const { files } = await invocation.own().call("files.sample", request, signal);
    output.result({ files }, `${files.length} files written to ${folder}`);
  },
};
