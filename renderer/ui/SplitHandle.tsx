import type { KeyboardEvent, PointerEvent } from "react";

interface SplitHandleProps {
  readonly label: string;
  /** Width in px of the column on the right of the handle. */
  readonly width: number;
  readonly min: number;
  readonly max: number;
  readonly onResize: (width: number) => void;
}

/** The border between two columns: drag it, or move it with the arrow keys. */
export function SplitHandle({ label, width, min, max, onResize }: SplitHandleProps) {
  const resize = (next: number) => onResize(Math.round(Math.min(max, Math.max(min, next))));

  function drag(event: PointerEvent<HTMLDivElement>) {
    event.preventDefault();
    const handle = event.currentTarget;
    const startX = event.clientX;
    handle.setPointerCapture(event.pointerId);
    const move = (moved: globalThis.PointerEvent) => resize(width + startX - moved.clientX);
    const end = () => {
      handle.removeEventListener("pointermove", move);
      handle.removeEventListener("pointerup", end);
      handle.removeEventListener("pointercancel", end);
    };
    handle.addEventListener("pointermove", move);
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  }

  function key(event: KeyboardEvent) {
    if (event.key === "ArrowLeft") resize(width + 16);
    else if (event.key === "ArrowRight") resize(width - 16);
    else return;
    event.preventDefault();
  }

  return (
    <div
      className="split-handle"
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={width}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={0}
      onPointerDown={drag}
      onKeyDown={key}
    />
  );
}
