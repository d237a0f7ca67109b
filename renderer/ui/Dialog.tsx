import { type ReactNode, useEffect, useId, useRef } from "react";
import { IconButton } from "./IconButton.tsx";

interface DialogProps {
  readonly title: string;
  readonly wide?: boolean;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  /** Left out: the dialog closes by its own actions alone. */
  readonly onClose?: () => void;
}

/** Modal: the browser keeps the focus inside and gives it back afterwards. */
export function Dialog({ title, wide = false, actions, children, onClose }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);

  return (
    <dialog
      ref={element}
      className={wide ? "dialog dialog-wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <header className="dialog-head">
        <h2 id={titleId}>{title}</h2>
        {onClose && <IconButton icon="close" label="Close" edge="end" onClick={onClose} />}
      </header>
      <div className="dialog-body">{children}</div>
      {actions && <footer className="dialog-actions">{actions}</footer>}
    </dialog>
  );
}
