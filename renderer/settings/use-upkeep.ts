import { useCallback, useEffect, useRef, useState } from "react";
import type { Client } from "../../core/client.ts";
import type { Input } from "../../core/contract.ts";
import { toAppError } from "../../core/errors.ts";
import { foldUpkeep, startOfUpkeep, type UpkeepJob, type UpkeepProgress } from "./upkeep.ts";

export type UpkeepRequest =
  | { readonly job: "check" }
  | ({ readonly job: "backup" } & Input<"archive.backup">)
  | ({ readonly job: "restore" } & Input<"archive.restore">);

export type UpkeepState =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly progress: UpkeepProgress }
  | {
      readonly status: "done";
      readonly progress: UpkeepProgress;
      readonly at: string;
      readonly folder: string;
    }
  | { readonly status: "cancelled"; readonly progress: UpkeepProgress }
  | { readonly status: "failed"; readonly progress: UpkeepProgress; readonly error: unknown };

/** Each kind of work with what came of it last; one runs at a time. */
export interface Upkeep {
  readonly states: Readonly<Record<UpkeepJob, UpkeepState>>;
  readonly busy: boolean;
  start(request: UpkeepRequest): void;
  cancel(): void;
}

const idle: UpkeepState = { status: "idle" };

export function useUpkeep(client: Client): Upkeep {
  const [states, setStates] = useState<Upkeep["states"]>({ check: idle, backup: idle, restore: idle });
  const running = useRef<AbortController | null>(null);
  const busy = Object.values(states).some(({ status }) => status === "running");

  // Nobody would see how it ends: the host stops it too.
  useEffect(() => () => running.current?.abort(), []);

  const start = useCallback(
    (request: UpkeepRequest) => {
      if (running.current) return;
      const controller = new AbortController();
      running.current = controller;
      const show = (state: UpkeepState) => setStates((all) => ({ ...all, [request.job]: state }));
      void run(client, request, { signal: controller.signal, show }).finally(() => (running.current = null));
    },
    [client],
  );
  const cancel = useCallback(() => running.current?.abort(), []);
  return { states, busy, start, cancel };
}

async function run(
  client: Client,
  request: UpkeepRequest,
  { signal, show }: { signal: AbortSignal; show: (state: UpkeepState) => void },
): Promise<void> {
  let progress = startOfUpkeep;
  show({ status: "running", progress });
  try {
    for await (const event of eventsOf(client, request, signal)) {
      progress = foldUpkeep(progress, event);
      show({ status: "running", progress });
    }
    const folder = request.job === "check" ? "" : request.folder;
    show({ status: "done", progress, at: new Date().toISOString(), folder });
  } catch (thrown) {
    const error = toAppError(thrown);
    show(
      error.code === "cancelled" ? { status: "cancelled", progress } : { status: "failed", progress, error },
    );
  }
}

function eventsOf(client: Client, request: UpkeepRequest, signal: AbortSignal) {
  switch (request.job) {
    case "check":
      return client.stream("archive.check", {}, signal);
    case "backup":
      return client.stream("archive.backup", { folder: request.folder }, signal);
    case "restore": {
      const { job: _job, ...input } = request;
      return client.stream("archive.restore", input, signal);
    }
  }
}
