import { useCallback, useEffect, useRef, useState } from "react";

export type Loaded<Value> =
  | { readonly status: "loading" }
  | { readonly status: "ready"; readonly value: Value }
  | { readonly status: "failed"; readonly error: unknown };

/**
 * The value of an asynchronous read, and a way to read it again. `read` must be stable (useCallback): a new one is a
 * new question. While reading again the last value stays.
 */
export function useCall<Value>(
  read: (signal: AbortSignal) => Promise<Value>,
): readonly [Loaded<Value>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<Value>>({ status: "loading" });
  const running = useRef<AbortController | null>(null);

  const again = useCallback(() => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    read(controller.signal).then(
      (value) => {
        if (!controller.signal.aborted) setLoaded({ status: "ready", value });
      },
      (error: unknown) => {
        if (!controller.signal.aborted) setLoaded({ status: "failed", error });
      },
    );
  }, [read]);

  useEffect(() => {
    again();
    return () => running.current?.abort();
  }, [again]);

  return [loaded, again];
}
