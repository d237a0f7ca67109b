import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { ArchiveStatus } from "../../core/settings.ts";
import { EmptyState } from "../ui/EmptyState.tsx";
import { Button } from "../ui/Button.tsx";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Notices } from "../ui/Notices.tsx";
import { errorFromRecord, errorRecord } from "../../core/errors.ts";
import { forgetSession, openClient } from "./client.ts";
import { FirstStart } from "./FirstStart.tsx";
import { Shell } from "./Shell.tsx";
import { showTheme } from "./theme.ts";
import { Unlock } from "./Unlock.tsx";
import { useCall } from "./use-call.ts";

// Once per page: React's strict mode runs effects twice, and a token works once.
let opened: Promise<Client> | null = null;
const openOnce = () => (opened ??= openClient());

async function openApp(): Promise<Client> {
  const client = await openOnce();
  // Before anything is drawn, so that the page does not change colour; it also finds out that a session has ended.
  const { theme } = await client.call("settings.read", {});
  showTheme(theme);
  return client;
}

export function App() {
  const [client, again] = useCall(openApp);
  if (client.status === "loading") return null;
  if (client.status === "failed") {
    // A bearer of an earlier run of the app is worth nothing.
    if (errorRecord(client.error).code === "unauthorized") forgetSession();
    const { code, message } = errorRecord(client.error);
    return (
      <EmptyState
        icon={code === "unauthorized" ? "lock" : "warning"}
        title={code === "unauthorized" ? "This window has no key" : "The app does not answer"}
        text={message}
      >
        <Button
          onClick={() => {
            opened = null;
            again();
          }}
        >
          Try again
        </Button>
      </EmptyState>
    );
  }
  return (
    <Notices>
      <Gate client={client.value} />
    </Notices>
  );
}

/** What stands before the worklist: making the archive, unlocking it, or why neither is possible. */
function Gate({ client }: { readonly client: Client }) {
  const read = useCallback((signal: AbortSignal) => client.call("archive.status", {}, signal), [client]);
  const [status, again] = useCall<ArchiveStatus>(read);

  if (status.status === "loading") return null;
  if (status.status === "failed") return <Blocked error={status.error} onRetry={again} />;
  const archive = status.value;
  // The status is read again only when the recovery key was seen: until then the archive counts as new.
  if (archive.state === "new") return <FirstStart client={client} archive={archive} onDone={again} />;
  if (archive.state === "locked") return <Unlock client={client} archive={archive} onDone={again} />;
  if (archive.state === "failed") return <Blocked error={archive} onRetry={again} />;
  return <Shell client={client} archive={archive} />;
}

function Blocked({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) {
  return (
    <div className="gate">
      <div className="gate-card">
        <h1>The archive cannot be opened</h1>
        <ErrorNotice title="What happened" error={blockedError(error)} onRetry={onRetry} />
      </div>
    </div>
  );
}

function blockedError(error: unknown): unknown {
  const state = error as { state?: string; code?: string; message?: string };
  return state.state === "failed"
    ? errorFromRecord({ code: state.code ?? "internal", message: state.message ?? "" })
    : error;
}
