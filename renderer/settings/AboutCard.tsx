import { useState } from "react";
import type { AppInfo } from "../../core/settings.ts";
import { Button } from "../ui/Button.tsx";
import { IconButton } from "../ui/IconButton.tsx";
import { useNotice } from "../ui/Notices.tsx";
import { HelpDialog } from "../viewport/HelpDialog.tsx";

export function AboutCard({ info }: { readonly info: AppInfo | null }) {
  const [keys, setKeys] = useState(false);
  return (
    <section className="card" aria-label="Help and about">
      <h2>Help and about</h2>
      {info && (
        <p>
          {info.name} {info.version}, {info.shell === "electron" ? "desktop window" : "in a browser window"}
        </p>
      )}
      <p className="note">{info?.researchUse ?? "For research use only. Not for diagnosis."}</p>
      <div>
        <Button icon="help" onClick={() => setKeys(true)}>
          Keyboard and mouse
        </Button>
      </div>
      {info && <Places info={info} />}
      <h3>Intended use</h3>
      <p>
        To let radiologists and researchers study how image models answer questions about radiological images,
        and what in the image those answers rest on. It is not a medical device. It must not be used to
        diagnose, to treat, to triage, or to decide anything about a patient.
      </p>
      <p>
        What a sentence is shown to rest on says what the model used. It does not say that the sentence is
        right.
      </p>
      <h3>Privacy</h3>
      <p>
        Nothing leaves this machine: no study, no question, no usage figures. The app makes no connections.
      </p>
      {keys && <HelpDialog onClose={() => setKeys(false)} />}
    </section>
  );
}

/** Where everything lies. The app opens no other program, so the paths are there to be copied. */
function Places({ info }: { readonly info: AppInfo }) {
  const say = useNotice();
  const places = [
    { name: "Data folder", place: info.dataFolder, isPath: true },
    { name: "Logs", place: info.logFolder, isPath: true },
    { name: "Key", place: info.keyLocation, isPath: /[\\/]/.test(info.keyLocation) },
    ...info.packFolders.map((place, index) => ({
      name: index === 0 ? "Model packs" : "More packs",
      place,
      isPath: true,
    })),
  ].filter(({ place }) => place !== "");

  async function copy(name: string, place: string) {
    try {
      await navigator.clipboard.writeText(place);
      say(`${name}: path copied.`);
    } catch {
      say("The clipboard did not take the path. Select it and copy by hand.");
    }
  }

  return (
    <>
      <h3>Where things are</h3>
      <dl className="places">
        {places.map(({ name, place, isPath }) => (
          <div key={place}>
            <dt>{name}</dt>
            <dd>
              <span className="place">{place}</span>
              {isPath && (
                <IconButton
                  icon="copy"
                  label={`Copy the path: ${name.toLowerCase()}`}
                  edge="end"
                  onClick={() => void copy(name, place)}
                />
              )}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
