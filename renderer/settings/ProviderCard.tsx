import { useCallback } from "react";
import type { Client } from "../../core/client.ts";
import type { ProviderStatus } from "../../core/model-pack.ts";
import { useCall } from "../app/use-call.ts";
import { ErrorNotice } from "../ui/ErrorNotice.tsx";
import { Progress } from "../ui/Progress.tsx";
import { Select } from "../ui/Select.tsx";

interface ProviderCardProps {
  readonly client: Client;
  /** "auto" or the name of a provider. */
  readonly chosen: string;
  readonly onChoose: (provider: string) => void;
}

const statusWords = {
  "in-use": "In use",
  works: "Works",
  "not-available": "Not available",
  "wrong-result": "Wrong results",
  failed: "Failed",
} as const satisfies Record<ProviderStatus["status"], string>;

const providerWords: Readonly<Record<string, string>> = {
  cpu: "Processor (CPU)",
  cuda: "NVIDIA graphics (CUDA)",
  webgpu: "Graphics (WebGPU)",
  directml: "Graphics (DirectML)",
  coreml: "Apple (Core ML)",
};
const nameOf = (provider: string) => providerWords[provider] ?? provider;

/** What the models run on, and what the self-test of this machine said about the others. */
export function ProviderCard({ client, chosen, onChoose }: ProviderCardProps) {
  const read = useCallback((signal: AbortSignal) => client.call("models.providers", {}, signal), [client]);
  const [providers, again] = useCall(read);
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
      {list.length > 0 && (
        <table className="providers">
          <tbody>
            {list.map((provider) => (
              <tr key={provider.name}>
                <th scope="row">{nameOf(provider.name)}</th>
                <td>
                  <span className={provider.status === "in-use" ? "tag tag-accent" : "tag"}>
                    {statusWords[provider.status]}
                  </span>
                </td>
                <td className="muted">{provider.reason}</td>
                <td className="number muted">
                  {provider.probe_ms === null ? "" : `${provider.probe_ms.toFixed(1)} ms`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
