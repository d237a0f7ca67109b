import { useCallback, useEffect, useState } from "react";
import type { Client } from "../../core/client.ts";
import { toAppError } from "../../core/errors.ts";
import type { ArchiveStatus, Settings } from "../../core/settings.ts";
import type { Study, StudyUid } from "../../core/study.ts";
import { nameText } from "../ask/words.ts";
import { ModelsScreen } from "../models/ModelsScreen.tsx";
import { SettingsScreen } from "../settings/SettingsScreen.tsx";
import { useUpkeep } from "../settings/use-upkeep.ts";
import { StudiesScreen } from "../studies/StudiesScreen.tsx";
import { Button } from "../ui/Button.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { createFrameStore } from "../viewport/frame-store.ts";
import { Viewer } from "../viewport/Viewer.tsx";
import { createViewportStore } from "../viewport/viewport-store.ts";
import { showTheme, type Theme, useTheme } from "./theme.ts";
import { useCall } from "./use-call.ts";
import { keepPlace, keptPlace, type Screen } from "./place.ts";

interface ShellProps {
  readonly client: Client;
  readonly archive: Extract<ArchiveStatus, { state: "ready" }>;
}

const screens = [
  { screen: "studies", label: "Studies" },
  { screen: "models", label: "Models" },
  { screen: "settings", label: "Settings" },
] as const;

export function Shell({ client, archive }: ShellProps) {
  const [screen, setScreen] = useState<Screen>("studies");
  const [study, setStudy] = useState<Study | null>(null);
  const [store] = useState(() => createViewportStore(createFrameStore(client)));
  const [settings, setSettings] = useSettings(client);
  const [choices, setChoices] = useState(0);
  const upkeep = useUpkeep(client);
  const info = useInfo(client);
  const native = info?.shell === "electron";
  const theme = useTheme();
  const say = useNotice();

  const load = useCallback(
    async (chosen: Study) => {
      const { studyInstanceUid } = chosen;
      try {
        const series = await client.call("studies.series", { studyInstanceUid });
        store.close();
        store.openStudy(chosen, series);
        setStudy(chosen);
        return true;
      } catch (thrown) {
        say(toAppError(thrown).message);
        return false;
      }
    },
    [client, store, say],
  );
  const open = useCallback(
    async (chosen: Study) => {
      if (await load(chosen)) setScreen("viewer");
    },
    [load],
  );

  /** Another file of an image is shown from now on: pictures and frames that were read before are out of date. */
  async function fileChosen(studyInstanceUid: StudyUid) {
    // Not the state of when the choice was made: another study may have been opened before it was done.
    const opened = store.getState().study;
    if (opened?.studyInstanceUid === studyInstanceUid) await load(opened);
    setChoices((count) => count + 1);
  }

  // A reload comes back to the study that was open.
  useEffect(() => {
    const place = keptPlace();
    if (!place.study) return;
    client.call("studies.list", {}).then(
      async (studies) => {
        const kept = studies.find(({ studyInstanceUid }) => studyInstanceUid === place.study);
        if (kept) await open(kept);
        if (kept && place.screen !== "viewer") setScreen(place.screen);
      },
      () => undefined,
    );
  }, [client, open]);

  useEffect(() => {
    if (study) keepPlace({ screen, study: study.studyInstanceUid });
  }, [screen, study]);

  function chooseTheme(chosen: Theme) {
    showTheme(chosen);
    client
      .call("settings.write", { theme: chosen })
      .catch((thrown: unknown) => say(toAppError(thrown).message));
  }

  function closeStudy() {
    store.close();
    setStudy(null);
    keepPlace({ screen: "studies", study: null });
  }

  return (
    <div className="shell">
      <header className="topbar">
        <span className="topbar-product">MEDITRON Imaging</span>
        <nav className="topbar-nav" aria-label="Screens">
          {screens.map((entry) => (
            <Button
              key={entry.screen}
              aria-current={screen === entry.screen ? "page" : undefined}
              onClick={() => setScreen(entry.screen)}
            >
              {entry.label}
            </Button>
          ))}
          {study && (
            <Button
              aria-current={screen === "viewer" ? "page" : undefined}
              onClick={() => setScreen("viewer")}
              className="topbar-open"
              title={nameText(study.patientName)}
            >
              <span className="ellipsis">{nameText(study.patientName)}</span>
            </Button>
          )}
        </nav>
        <span className="topbar-space" />
        <span className="topbar-research">Research use only</span>
        <IconButton
          icon="theme"
          label={theme === "light" ? "Dark theme" : "Light theme"}
          edge="end"
          onClick={() => chooseTheme(theme === "light" ? "dark" : "light")}
        />
      </header>
      <div className="screen" hidden={screen !== "studies"}>
        <StudiesScreen
          client={client}
          native={native}
          choices={choices}
          onChosen={(studyInstanceUid) => void fileChosen(studyInstanceUid)}
          onOpen={(chosen) => {
            if (chosen.studyInstanceUid === study?.studyInstanceUid) setScreen("viewer");
            else void open(chosen);
          }}
          onDeleted={(deleted) => {
            if (deleted.studyInstanceUid === study?.studyInstanceUid) closeStudy();
          }}
        />
      </div>
      {study && (
        <div className="screen" hidden={screen !== "viewer"}>
          <Viewer
            key={choices}
            client={client}
            study={study}
            store={store}
            groundBudgetSeconds={settings?.groundBudgetSeconds ?? 30}
            active={screen === "viewer"}
            onChosen={() => void fileChosen(study.studyInstanceUid)}
          />
        </div>
      )}
      {screen === "models" && (
        <div className="screen">
          <ModelsScreen client={client} settings={settings} onSettings={setSettings} />
        </div>
      )}
      {screen === "settings" && (
        <div className="screen">
          <SettingsScreen
            client={client}
            archive={archive}
            native={native}
            upkeep={upkeep}
            info={info}
            settings={settings}
            onSettings={setSettings}
            onTheme={chooseTheme}
          />
        </div>
      )}
    </div>
  );
}

function useSettings(client: Client): readonly [Settings | null, (settings: Settings) => void] {
  const read = useCallback((signal: AbortSignal) => client.call("settings.read", {}, signal), [client]);
  const [loaded] = useCall(read);
  const [changed, setChanged] = useState<Settings | null>(null);
  return [changed ?? (loaded.status === "ready" ? loaded.value : null), setChanged];
}

function useInfo(client: Client) {
  const read = useCallback((signal: AbortSignal) => client.call("app.info", {}, signal), [client]);
  const [loaded] = useCall(read);
  return loaded.status === "ready" ? loaded.value : null;
}
