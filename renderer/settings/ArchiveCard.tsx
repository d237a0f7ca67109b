import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { ArchiveStatus } from "../../core/settings.ts";
import { protectionWords } from "../app/protection-words.ts";
import { useCall } from "../app/use-call.ts";
import { bytesText } from "./bytes-text.ts";

interface ArchiveCardProps {
  readonly client: Client;
  /** As it was when it was opened; what it holds is read again. */
  readonly archive: Extract<ArchiveStatus, { state: "ready" }>;
}

export function ArchiveCard({ client, archive: opened }: ArchiveCardProps) {
  const read = useCallback((signal: AbortSignal) => client.call("archive.status", {}, signal), [client]);
  const [status] = useCall<ArchiveStatus>(read);
  const archive = status.status === "ready" && status.value.state === "ready" ? status.value : opened;
  const words = protectionWords[archive.protection];
  return (
    <section className="card" aria-label="Archive">
      <h2>Archive</h2>
      <p>
        Encrypted. The key is kept in: <strong>{words.title.toLowerCase()}</strong>. {words.text}
      </p>
      <dl className="facts">
        <dt>Holds</dt>
        <dd className="number">
          {archive.studies} studies, {archive.instances} images, {bytesText(archive.bytes)}
        </dd>
      </dl>
      {archive.repairs.length > 0 && (
        <div className="note">
          <strong>Set right when the archive was opened</strong>
          <ul>
            {archive.repairs.map((repair) => (
              <li key={repair}>{repair}</li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}
