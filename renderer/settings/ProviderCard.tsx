import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import { memoryText } from "../models/memory-text.ts";
import { useCall } from "../app/use-call.ts";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import { Select } from "../ui/Select.tsx";
import { providerName as nameOf, providerTags, providerTime } from "./provider-text.ts";

interface ProviderCardProps {
  readonly client: Client;
  /** "auto" or the name of a provider. */
  readonly chosen: string;
  readonly onChoose: (provider: string) => void;
  /** Of the pack that answers; null: the one that comes with the app. */
  readonly pack: string | null;
}

/** What the models run on, and what the self-test of this machine said about the others. */
export function ProviderCard({ client, chosen, onChoose, pack }: ProviderCardProps) {
  const read = useCallback((signal: AbortSignal) => client.call("models.providers", {}, signal), [client]);
  const [providers, again] = useCall(read);
  const readFits = useCallback((signal: AbortSignal) => client.call("models.fit", {}, signal), [client]);
  const [fits] = useCall(readFits);
  const known = fits.status === "ready" ? fits.value : [];
  const fit = pack === null ? known[0] : known.find((one) => one.pack === pack);
  const list = providers.status === "ready" ? providers.value : [];
  const options = [
    { value: "auto", label: "Automatic: the fastest whose results are right" },
    ...list.map(({ name, status }) => ({
      value: name,
      label: nameOf(name),
      disabled: status !== "works" && status !== "in-use",
    })),
  ];
  // A provider that was chosen on another day stays visible although it is gone.
  if (!options.some(({ value }) => value === chosen)) options.push({ value: chosen, label: nameOf(chosen) });
  return (
    <section className="card" aria-label="Compute">
      <h2>Compute</h2>
      <p className="muted">
        Each way to compute is tried on this machine and its results are compared with the processor's. One
        that answers wrongly is not used.
      </p>
      <Select label="Run models on" value={chosen} options={options} onChange={onChoose} />
      {providers.status === "loading" && <Progress label="Testing what works here" fraction={null} />}
      {providers.status === "failed" && (
        <ErrorNotice title="The self-test did not run" error={providers.error} onRetry={again} />
      )}
      {list.some(({ remembered }) => remembered) && (
        <p className="muted">Found at an earlier start; tried again when the drivers or the app change.</p>
      )}
      {fit && <p className="muted">{`${fit.pack}: ${memoryText(fit)}`}</p>}
      {list.length > 0 && (
        <table className="providers">
          <tbody>
            {list.map((provider) => (
              <tr key={provider.name}>
                <th scope="row">{nameOf(provider.name)}</th>
                <td className="provider-tags">
                  {providerTags(provider).map((text, index) => (
                    <span
                      key={text}
                      className={index === 0 && provider.status === "in-use" ? "tag tag-accent" : "tag"}
                    >
                      {text}
                    </span>
                  ))}
                </td>
                <td className="muted">{provider.reason}</td>
                <td className="number muted">{providerTime(provider)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {list.some(({ unproven }) => unproven) && (
        <p className="muted">
          Unproven: the app's developers have not seen it run. It is used only where it is chosen here, or
          where IT has installed it for the purpose.
        </p>
      )}
    </section>
  );
}
