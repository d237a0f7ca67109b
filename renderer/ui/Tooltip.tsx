import type { ReactNode } from "react";

interface TooltipProps {
  readonly text: string;
  readonly shortcut?: string;
  /** At an edge of the window the tooltip grows away from it. */
  readonly edge?: "start" | "end";
  readonly children: ReactNode;
}

/** Shows the name of a control on hover and keyboard focus; the control itself carries it as its label. */
export function Tooltip({ text, shortcut, edge, children }: TooltipProps) {
  return (
    <span className={edge ? `tooltip-host tooltip-${edge}` : "tooltip-host"}>
      {children}
      <span className="tooltip" aria-hidden="true">
        {text}
        {shortcut && <kbd>{shortcut}</kbd>}
      </span>
    </span>
  );
}
