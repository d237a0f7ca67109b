import { importModel } from "../models/import/import-model.ts";

/** node scripts/run-ts.mjs scripts/import-model.ts SOURCE TARGET_FOLDER NAME [integer|mixed|bytes|compact|float32] */
const [source, targetFolder, name, precision = "integer"] = process.argv.slice(2);
if (source === undefined || targetFolder === undefined || name === undefined) {
  console.error(
    "usage: scripts/import-model.ts SOURCE TARGET_FOLDER NAME [integer|mixed|bytes|compact|float32]",
  );
  process.exit(2);
}
const precisions = ["integer", "mixed", "bytes", "compact", "float32"] as const;
const input = {
  source,
  targetFolder,
  name,
  precision: precisions.find((one) => one === precision) ?? "integer",
};
for await (const event of importModel(input, new AbortController().signal)) {
  if (event.type === "progress") process.stderr.write(`\r${Math.round(event.fraction * 100)} %`);
  else console.log(`\n${event.pack.name} ${event.pack.bytes} bytes, pack.json ${event.pack.digest}`);
}
