import { useEffect, useMemo } from "react";
import type { Client } from "../../core/client.ts";
import type { View } from "../../core/view.ts";

/** Typing pauses for so long before what is written is read. */
const pauseMs = 250;

export interface Preparing {
  /** `captureView` is asked when it is time; null: not now. */
  write(question: string, captureView: () => View | null): void;
  stop(): void;
}

/** Has the image and the beginning of a question read while it is written, so that its answer begins sooner. */
export function usePreparing(client: Client): Preparing {
  const preparing = useMemo(() => createPreparing(client), [client]);
  useEffect(() => preparing.stop, [preparing]);
  return preparing;
}

function createPreparing(client: Client): Preparing {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let controller = new AbortController();
  const stop = () => {
    clearTimeout(timer);
    controller.abort();
  };
  return {
    stop,
    write(question, captureView) {
      stop();
      const written = question.trim();
      if (written === "") return;
      controller = new AbortController();
      const { signal } = controller;
      timer = setTimeout(() => {
        const view = captureView();
        if (view === null) return;
        // What is wrong with it is said when it is asked.
        client.call("answers.prepare", { question: written, views: [view] }, signal).catch(() => undefined);
      }, pauseMs);
    },
  };
}
