/**
 * What the environment of a process must say before it loads ONNX Runtime, by the processor's architecture as Node
 * names it.
 *
 * - The published libraries for Linux and macOS send usage figures to their maker from the moment an environment is
 *   made, and keep a device id in the user's cache folder; `DisableTelemetryEvents` comes too late.
 * - Attention in blocks saves memory that is not scarce here, with loops that are compiled for the oldest processors:
 *   behind 3,000 tokens a step takes a quarter longer than with matrix products (docs/decisions/model-runtime.md). Measured on
 *   x64 alone, so only changed there.
 */
export function onnxRuntimeEnvironment(architecture: string): Readonly<Record<string, string>> {
  return {
    ORT_DISABLE_TELEMETRY: "1",
    ...(architecture === "x64" ? { ORT_GQA_DISABLE_FLASH_ATTENTION: "1" } : {}),
  };
}
