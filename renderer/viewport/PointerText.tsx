import { type RefObject, useEffect, useState } from "react";
import { applyMatrix, imageToStage, invertMatrix, type Point } from "./geometry.ts";
import { viewOf } from "./gestures.ts";
import { pixelText } from "./measure.ts";
import type { ViewportState } from "./viewport-store.ts";

interface PointerTextProps {
  readonly state: ViewportState;
  readonly stage: RefObject<HTMLElement | null>;
}

/** The pixel under the pointer and its value. Its own component, so that a moving mouse draws only this line again. */
export function PointerText({ state, stage }: PointerTextProps) {
  const [at, setAt] = useState<Point | null>(null);

  useEffect(() => {
    const element = stage.current;
    if (!element) return;
    const move = (event: PointerEvent) => {
      const box = element.getBoundingClientRect();
      setAt({ x: event.clientX - box.left, y: event.clientY - box.top });
    };
    const leave = () => setAt(null);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerleave", leave);
    return () => {
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerleave", leave);
    };
  }, [stage]);

  const view = viewOf(state);
  if (!at || !view || state.image.status !== "ready") return null;
  const back = invertMatrix(imageToStage(view.stage, view.image, view.camera));
  const text = pixelText(state.image.frame, applyMatrix(back, at));
  return text === null ? null : (
    <span className="number" data-testid="pointer">
      {text}
    </span>
  );
}
