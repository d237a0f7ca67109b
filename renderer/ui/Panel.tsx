import type { ReactNode } from "react";

interface PanelProps {
  readonly title: string;
  readonly className?: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Panel({ title, className, actions, children }: PanelProps) {
  return (
    <section className={className ? `panel ${className}` : "panel"} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        {actions}
      </header>
      <div className="panel-body">{children}</div>
    </section>
  );
}
