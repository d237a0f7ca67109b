import type { SessionProvider } from "./engine.ts";

/** A provider that this platform may have, by the name that settings use. */
export interface Candidate {
  readonly name: string;
  readonly session: SessionProvider;
  /** Said where it cannot be started. */
  readonly missing: string;
  /** What it may run: everything, or the image encoder alone. */
  readonly use: "all" | "images";
  /** "installed": nobody has seen it run, and it is there only where IT has put it for the purpose. */
  readonly proof: "proven" | "installed" | "unproven";
}

const webgpu: Candidate = {
  name: "webgpu",
  session: { name: "WebGPU", options: {}, memory: "WebGPU_Buffer" },
  missing: "No graphics adapter that WebGPU can use was found.",
  use: "all",
  proof: "proven",
};
const directml: Candidate = {
  name: "directml",
  session: { name: "DML", options: {}, memory: "DML" },
  missing: "DirectML found no graphics card that it can use.",
  use: "all",
  proof: "unproven",
};
const coreml: Candidate = {
  name: "coreml",
  session: { name: "CoreML", options: {}, memory: null },
  missing: "Core ML cannot be used by this build of the model runtime.",
  use: "images",
  proof: "unproven",
};
const cuda: Candidate = {
  name: "cuda",
  session: { name: "CUDA", options: {}, memory: "Cuda" },
  missing: "The NVIDIA files of the model runtime are not installed.",
  use: "all",
  proof: "installed",
};

/** What could run models on a platform besides the CPU. */
export function candidatesFor(platform: NodeJS.Platform): readonly Candidate[] {
  if (platform === "win32") return [cuda, directml, webgpu];
  if (platform === "darwin") return [coreml, webgpu];
  return [cuda, webgpu];
}
