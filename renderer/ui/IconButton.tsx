import type { ButtonHTMLAttributes } from "react";
import { Icon, type IconName } from "./Icon.tsx";
import { Tooltip } from "./Tooltip.tsx";

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName;
  /** Read by screen readers and shown on hover and focus. */
  readonly label: string;
  /** Stands under the icon where there is room; must be part of the label, which voice control listens for. */
  readonly caption?: string;
  /** A key that does the same, shown beside the label. */
  readonly shortcut?: string;
  readonly pressed?: boolean;
  readonly edge?: "start" | "end";
}

export function IconButton({ icon, label, caption, shortcut, pressed, edge, ...rest }: IconButtonProps) {
  return (
    <Tooltip text={label} {...(shortcut ? { shortcut } : {})} {...(edge ? { edge } : {})}>
      <button
        type="button"
        {...rest}
        className={caption ? "icon-button icon-button-captioned" : "icon-button"}
        aria-label={label}
        aria-keyshortcuts={shortcut}
        aria-pressed={pressed}
      >
        <Icon name={icon} />
        {caption && <span className="icon-caption">{caption}</span>}
      </button>
    </Tooltip>
  );
}
