import { useEffect } from "react";
import { useViewportPart, type ViewportStore } from "./viewport-store.ts";

/** Where the header has no rate: slow enough to read a stack of slices. */
const defaultRate = 10;
const fastest = 60;

/**
 * Runs the stack while `playing`, round and round. A step waits until the image before it is on the stage: a slow
 * decode makes it slower, never wrong.
 */
export function useCine(store: ViewportStore, framesPerSecond: number | null): void {
  const playing = useViewportPart(store, "playing");
  const rate = Math.min(fastest, Math.max(1, framesPerSecond ?? defaultRate));
  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => {
      const { image, index, frames } = store.getState();
      if (image.status === "failed") store.setPlaying(false);
      else if (image.status === "ready" && image.index === index)
        store.showIndex((index + 1) % frames.length);
    }, 1000 / rate);
    return () => clearInterval(timer);
  }, [store, playing, rate]);
}
