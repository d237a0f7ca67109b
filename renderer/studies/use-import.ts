import { useCallback, useRef, useState } from "react";
import type { Client } from "../../core/client.ts";
import { toAppError } from "../../core/errors.ts";
import { foldImport, type ImportProgress, startOfImport } from "./import-progress.ts";
import { type ImportSource, runImport } from "./run-import.ts";

export type ImportState =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly progress: ImportProgress }
  | { readonly status: "done"; readonly progress: ImportProgress }
  | { readonly status: "cancelled"; readonly progress: ImportProgress }
  | { readonly status: "failed"; readonly progress: ImportProgress; readonly error: unknown };

export interface Importer {
  readonly state: ImportState;
  start(source: ImportSource): Promise<void>;
  /** The last one once more; what it brought already counts as there. */
  again(): void;
  cancel(): void;
  dismiss(): void;
}

/** One import at a time; `onChange` is called when the worklist may have changed. */
export function useImport(client: Client, onChange: () => void): Importer {
  const [state, setState] = useState<ImportState>({ status: "idle" });
  const running = useRef<AbortController | null>(null);
  const last = useRef<ImportSource | null>(null);

  const start = useCallback(
    async (source: ImportSource) => {
      if (running.current) return;
      const controller = new AbortController();
      running.current = controller;
      last.current = source;
      let progress = startOfImport;
      setState({ status: "running", progress });
      try {
        const steps = runImport(client, source, controller.signal);
        for await (const step of steps) {
          progress = foldImport(progress, step);
          setState({ status: "running", progress });
        }
        setState({ status: "done", progress });
      } catch (thrown) {
        const error = toAppError(thrown);
        const cancelled = error.code === "cancelled";
        setState(cancelled ? { status: "cancelled", progress } : { status: "failed", progress, error });
      } finally {
        running.current = null;
        onChange();
      }
    },
    [client, onChange],
  );

  const again = useCallback(() => {
    if (last.current) void start(last.current);
  }, [start]);
  const cancel = useCallback(() => running.current?.abort(), []);
  const dismiss = useCallback(() => setState({ status: "idle" }), []);
  return { state, start, again, cancel, dismiss };
}
