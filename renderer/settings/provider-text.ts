import type { ProviderStatus } from "../../core/model-pack.ts";

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

export function providerName(provider: string): string {
  return providerWords[provider] ?? provider;
}

/** What a provider is marked with, its state first. */
export function providerTags({ status, unproven, images_only }: ProviderStatus): string[] {
  return [
    statusWords[status],
    ...(unproven ? ["Unproven"] : []),
    ...(images_only ? ["Image encoder only"] : []),
  ];
}

/** How fast it was: with the pack that is loaded where that was measured, else in the self-test. */
export function providerTime({ probe_ms: probe, token_ms: token }: ProviderStatus): string {
  if (token !== undefined && token !== null) return `${token.toFixed(1)} ms a token`;
  return probe === null ? "" : `${probe.toFixed(1)} ms`;
}
