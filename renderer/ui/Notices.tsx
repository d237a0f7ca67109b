import { createContext, type ReactNode, useCallback, useContext, useState } from "react";
import { IconButton } from "./IconButton.tsx";

interface NoticeEntry {
  readonly id: number;
  readonly text: string;
}

const NoticesContext = createContext<(text: string) => void>(() => undefined);

/** Says something short at the foot of the window, for example "Copied". Errors stand where they arose instead. */
export function useNotice(): (text: string) => void {
  return useContext(NoticesContext);
}

let nextId = 1;

export function Notices({ children }: { readonly children: ReactNode }) {
  const [notices, setNotices] = useState<readonly NoticeEntry[]>([]);
  const remove = useCallback(
    (id: number) => setNotices((all) => all.filter((notice) => notice.id !== id)),
    [],
  );
  const say = useCallback(
    (text: string) => {
      const id = nextId++;
      setNotices((all) => [...all.slice(-2), { id, text }]);
      setTimeout(() => remove(id), 6000);
    },
    [remove],
  );
  return (
    <NoticesContext.Provider value={say}>
      {children}
      <div className="notices" role="status" aria-live="polite">
        {notices.map((notice) => (
          <div key={notice.id} className="notice">
            <span>{notice.text}</span>
            <IconButton icon="close" label="Dismiss" edge="end" onClick={() => remove(notice.id)} />
          </div>
        ))}
      </div>
    </NoticesContext.Provider>
  );
}
