import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";

export interface MenuItem {
  readonly key: string;
  readonly label: string;
  readonly note?: string;
  readonly shortcut?: string;
  readonly checked?: boolean;
  readonly danger?: boolean;
  readonly onChoose: () => void;
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly align?: "start" | "end";
  readonly className?: string;
  readonly children: ReactNode;
}

/** A button that opens a list: arrow keys move, Escape closes and gives the focus back. */
export function Menu({ label, items, align = "start", className = "button", children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const host = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const entries = () => host.current?.querySelectorAll<HTMLElement>(".menu-item") ?? [];
    entries()[0]?.focus();
    const closeOutside = (event: PointerEvent) => {
      if (!host.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [open]);

  function close() {
    setOpen(false);
    button.current?.focus();
  }

  function move(event: KeyboardEvent) {
    if (event.key === "Escape" || event.key === "Tab") {
      event.stopPropagation();
      close();
      return;
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const entries = [...(host.current?.querySelectorAll<HTMLElement>(".menu-item") ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    entries[(at + step + entries.length) % entries.length]?.focus();
  }

  return (
    <div className="menu" ref={host}>
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {children}
      </button>
      {open && (
        <div
          className={align === "end" ? "menu-list menu-list-end" : "menu-list"}
          role="menu"
          aria-label={label}
          onKeyDown={move}
        >
          {items.map((item) => (
            <button
              key={item.key}
              type="button"
              role={item.checked === undefined ? "menuitem" : "menuitemradio"}
              aria-checked={item.checked}
              className={item.danger ? "menu-item menu-item-danger" : "menu-item"}
              onClick={() => {
                close();
                item.onChoose();
              }}
            >
              <span className="menu-label">{item.label}</span>
              {item.note && <span className="muted small number">{item.note}</span>}
              {item.shortcut && <kbd className="menu-key">{item.shortcut}</kbd>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
