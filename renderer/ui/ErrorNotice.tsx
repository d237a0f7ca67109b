import type { ReactNode } from "react";
import { errorRecord } from "../../core/errors.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";

interface ErrorNoticeProps {
  readonly title: string;
  /** Anything thrown; what has no name is shown as an internal failure. */
  readonly error: unknown;
  readonly onRetry?: () => void;
  /** Other ways out than trying again. */
  readonly children?: ReactNode;
}

export function ErrorNotice({ title, error, onRetry, children }: ErrorNoticeProps) {
  const { code, message } = errorRecord(error);
  return (
    <div className="error-notice" role="alert">
      <Icon name="warning" />
      <div className="error-notice-body">
        <strong>{title}</strong>
        <p>{message}</p>
        <code>{code}</code>
      </div>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
      {children}
    </div>
  );
}
