import { Dialog } from "../ui/Dialog.tsx";
import { keyboardShortcuts, mouseShortcuts, type Shortcut } from "./shortcuts.ts";

/** What keys and mouse do, on one sheet. */
export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  const half = Math.ceil(keyboardShortcuts.length / 2);
  return (
    <Dialog title="Keyboard and mouse" wide onClose={onClose}>
      <div className="help">
        <Shortcuts title="Keyboard" rows={keyboardShortcuts.slice(0, half)} />
        <Shortcuts title="" rows={keyboardShortcuts.slice(half)} />
        <Shortcuts title="Mouse" rows={mouseShortcuts} />
      </div>
    </Dialog>
  );
}

function Shortcuts({ title, rows }: { readonly title: string; readonly rows: readonly Shortcut[] }) {
  return (
    <section>
      <h3>{title || "\u00a0"}</h3>
      <dl>
        {rows.map(({ keys, action }) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
