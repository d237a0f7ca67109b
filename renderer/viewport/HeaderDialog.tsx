import { useCallback, useState } from "react";
import type { HeaderElement } from "../../core/archive-events.ts";
import type { Client } from "../../core/client.ts";
import type { InstanceUid } from "../../core/study.ts";
import { useCall } from "../app/use-call.ts";
import { Dialog } from "../ui/Dialog.tsx";
import { EmptyState } from "../ui/EmptyState.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";

interface HeaderDialogProps {
  readonly client: Client;
  readonly sopInstanceUid: InstanceUid;
  readonly onClose: () => void;
}

export function HeaderDialog({ client, sopInstanceUid, onClose }: HeaderDialogProps) {
  const [search, setSearch] = useState("");
  const read = useCallback(
    (signal: AbortSignal) => client.call("frames.header", { sopInstanceUid }, signal),
    [client, sopInstanceUid],
  );
  const [header, again] = useCall(read);
  const found = header.status === "ready" ? matchingElements(header.value, search) : [];
  return (
    <Dialog title="DICOM header" wide onClose={onClose}>
      <div className="header">
        <input
          className="input"
          type="search"
          placeholder="Search tag, keyword or value"
          aria-label="Search the header"
          // Else the browser keeps what is typed here in its profile.
          autoComplete="off"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        {header.status === "failed" && (
          <ErrorNotice title="The header could not be read" error={header.error} onRetry={again} />
        )}
        {header.status === "ready" && found.length === 0 && (
          <EmptyState
            icon="search"
            title="No element matches"
            text="Try a part of the keyword or the value."
          />
        )}
        {found.length > 0 && (
          <div className="header-rows" role="region" aria-label="Elements" tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th>Tag</th>
                  <th>VR</th>
                  <th>Keyword</th>
                  <th>Value</th>
                </tr>
              </thead>
              <tbody>
                {found.map((element, index) => (
                  <tr key={index}>
                    <td className="header-tag" style={{ paddingLeft: `${8 + element.depth * 16}px` }}>
                      {element.tag}
                    </td>
                    <td className="muted">{element.vr}</td>
                    <td>{element.keyword}</td>
                    <td className="header-value">{element.value}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </div>
    </Dialog>
  );
}

export function matchingElements(
  elements: readonly HeaderElement[],
  search: string,
): readonly HeaderElement[] {
  const wanted = search.trim().toLowerCase();
  if (wanted === "") return elements;
  return elements.filter(({ tag, keyword, value }) =>
    [tag, tag.replace(/[(),]/g, ""), keyword, value].some((text) => text.toLowerCase().includes(wanted)),
  );
}
