import { runCli } from "./cli/run-cli.ts";

// The reader of a pipe may have enough (`meditron list | head -1`): that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await runCli(process.argv.slice(2));
