import type { PixelSpacing } from "../../core/frame.ts";
import { scaleBar } from "./scale.ts";

interface ScaleBarProps {
  readonly spacing: PixelSpacing | null;
  /** CSS px per image column. */
  readonly pxPerColumn: number;
  readonly room: number;
}

export function ScaleBar({ spacing, pxPerColumn, room }: ScaleBarProps) {
  const bar = scaleBar(spacing, pxPerColumn, room);
  if (!bar) return spacing ? null : <div className="scale scale-none">No pixel spacing in the file</div>;
  return (
    <div className="scale">
      <div className="scale-line" style={{ width: `${bar.length}px` }} />
      <span className="number">{bar.text}</span>
    </div>
  );
}
