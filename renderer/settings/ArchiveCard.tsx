import type { AppInfo, ArchiveStatus } from "../../core/settings.ts";
import { protectionWords } from "../app/protection-words.ts";
import { bytesText } from "./bytes-text.ts";

interface ArchiveCardProps {
  readonly archive: Extract<ArchiveStatus, { state: "ready" }>;
  readonly info: AppInfo | null;
}

export function ArchiveCard({ archive, info }: ArchiveCardProps) {
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
        <dt>Data folder</dt>
        <dd>{archive.dataFolder}</dd>
        {info && (
          <>
            <dt>Key</dt>
            <dd>{info.keyLocation}</dd>
            <dt>Logs</dt>
            <dd>{info.logFolder}</dd>
          </>
        )}
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
