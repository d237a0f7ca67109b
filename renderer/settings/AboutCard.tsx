import type { AppInfo } from "../../core/settings.ts";

export function AboutCard({ info }: { readonly info: AppInfo | null }) {
  return (
    <section className="card" aria-label="About">
      <h2>About</h2>
      {info && (
        <p>
          {info.name} {info.version}, {info.shell === "electron" ? "desktop window" : "in a browser window"}
        </p>
      )}
      <p className="note">{info?.researchUse ?? "For research use only. Not for diagnosis."}</p>
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
    </section>
  );
}
