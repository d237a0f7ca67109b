import type { Command } from "./command.ts";
import { commands } from "./commands.ts";

export function generalHelp(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    "meditron: ask about medical images and see what the answer rests on. Research use only.",
    "",
    "Usage: meditron COMMAND [OPTIONS]",
    "",
    ...lines,
    "",
    "Every command takes:",
    "  --json              print one JSON object (one a line where results stream) and nothing else on stdout",
    "  --data-folder DIR   another data folder (also MEDITRON_DATA)",
    "  --help, --version",
    "",
    "Exit codes: 0 done, 2 usage, 3 bad input, 4 not supported, 5 not found, 6 cancelled, 70 internal.",
    "",
  ].join("\n");
}

export function commandHelp(command: Command): string {
  const shown = Object.entries(command.help);
  const width = Math.max(0, ...shown.map(([option]) => option.length));
  return [
    `Usage: meditron ${command.name} ${command.usage}`.trimEnd(),
    "",
    command.summary,
    ...(shown.length > 0 ? ["", ...shown.map(([option, text]) => `  ${option.padEnd(width)}  ${text}`)] : []),
    "",
  ].join("\n");
}
