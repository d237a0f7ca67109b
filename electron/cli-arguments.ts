/** What follows `--cli` on the command line of the installed program; null where it is to open its window. */
export function cliArguments(argv: readonly string[]): string[] | null {
  const place = argv.indexOf("--cli");
  return place === -1 ? null : argv.slice(place + 1);
}
