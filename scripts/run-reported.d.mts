interface Count {
  passed: number;
  failed: number;
  skipped: number;
}
export function runReported(runner: {
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  report: string;
  read(content: never): Count;
}): Promise<Count>;
