import { useState } from "react";
import type { Client } from "../../core/client.ts";
import type { AppInfo, ArchiveStatus, Settings } from "../../core/settings.ts";
import { type Theme, useTheme } from "../app/theme.ts";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Field } from "../ui/Field.tsx";
import { Select } from "../ui/Select.tsx";
import { AboutCard } from "./AboutCard.tsx";
import { ArchiveCard } from "./ArchiveCard.tsx";
import { ProviderCard } from "./ProviderCard.tsx";
import type { Upkeep } from "./use-upkeep.ts";
import "./settings.css";

interface SettingsScreenProps {
  readonly client: Client;
  readonly archive: Extract<ArchiveStatus, { state: "ready" }>;
  /** The app has a window of its own, with native dialogs. */
  readonly native: boolean;
  /** Goes on while another screen is in front. */
  readonly upkeep: Upkeep;
  readonly info: AppInfo | null;
  readonly settings: Settings | null;
  readonly onSettings: (settings: Settings) => void;
  readonly onTheme: (theme: Theme) => void;
}

export function SettingsScreen(props: SettingsScreenProps) {
  const { client, archive, native, upkeep, info, settings, onSettings, onTheme } = props;
  const theme = useTheme();
  const [error, setError] = useState<unknown>(null);

  async function write(part: Partial<Settings>) {
    setError(null);
    try {
      onSettings(await client.call("settings.write", part));
    } catch (thrown) {
      setError(thrown);
    }
  }

  return (
    <main className="page">
      <div className="page-column">
        <h1>Settings</h1>
        {error !== null && <ErrorNotice title="The setting was not kept" error={error} />}
        <section className="card" aria-label="Appearance">
          <h2>Appearance</h2>
          <Select
            label="Theme"
            value={theme}
            options={[
              { value: "dark", label: "Dark" },
              { value: "light", label: "Light" },
              { value: "system", label: "As the system" },
            ]}
            onChange={(value) => onTheme(value as Theme)}
          />
        </section>
        {settings && (
          <>
            <section className="card" aria-label="Testing the evidence">
              <h2>Testing the evidence</h2>
              <p className="muted">
                After an answer, parts of the image are replaced and the model is asked again, to find what
                each sentence rests on. When that would take longer than the time allowed, it waits for a
                button.
              </p>
              <BudgetField
                seconds={settings.groundBudgetSeconds}
                onChange={(groundBudgetSeconds) => void write({ groundBudgetSeconds })}
              />
            </section>
            <ProviderCard
              client={client}
              chosen={settings.provider}
              pack={settings.pack}
              onChoose={(provider) => void write({ provider })}
            />
          </>
        )}
        <ArchiveCard client={client} archive={archive} native={native} upkeep={upkeep} info={info} />
        <AboutCard info={info} />
      </div>
    </main>
  );
}

interface BudgetFieldProps {
  readonly seconds: number;
  readonly onChange: (seconds: number) => void;
}

function BudgetField({ seconds, onChange }: BudgetFieldProps) {
  const [text, setText] = useState(String(seconds));
  const value = Number(text);
  const wrong = text.trim() === "" || !Number.isFinite(value) || value < 0 || value > 3600;
  return (
    <Field
      label="Time allowed for each answer, seconds"
      hint="0 tests only on demand."
      type="number"
      min={0}
      max={3600}
      value={text}
      error={wrong ? "A number from 0 to 3600." : null}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => {
        if (!wrong && value !== seconds) onChange(value);
      }}
    />
  );
}
