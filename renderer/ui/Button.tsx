import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Icon, type IconName } from "./Icon.tsx";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: "plain" | "primary" | "quiet" | "danger";
  readonly icon?: IconName;
  readonly children: ReactNode;
}

export function Button({ kind = "plain", icon, children, className, ...rest }: ButtonProps) {
  const classes = ["button", kind === "plain" ? "" : `button-${kind}`, className ?? ""];
  return (
    <button type="button" {...rest} className={classes.filter(Boolean).join(" ")}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
