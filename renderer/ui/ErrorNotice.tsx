import { errorRecord } from "../../core/errors.ts";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";

interface ErrorNoticeProps {
  readonly title: string;
  /** Anything thrown; what has no name is shown as an internal failure. */
  readonly error: unknown;
  readonly onRetry?: () => void;
}

export function ErrorNotice({ title, error, onRetry }: ErrorNoticeProps) {
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
    </div>
  );
}
