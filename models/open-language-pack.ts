import type { PackSummary, PackTrust } from "../core/model-pack.ts";
import { readLanguagePack } from "./pack/read-pack.ts";
import type { LanguageModel } from "./runtime/backend.ts";
import type { ChosenProvider } from "./runtime/providers.ts";

export interface LoadedLanguagePack {
  readonly summary: Pick<PackSummary, "name" | "version" | "digest">;
  readonly folder: string;
  readonly provider: string;
  /** The caller's to dispose of. */
  readonly language: LanguageModel;
}

/**
 * A language model that packs are built on, without an image encoder.
 * @throws pack-damaged, pack-untrusted, out-of-memory, cancelled
 */
export async function openLanguagePack(
  { folder, trust }: { readonly folder: string; readonly trust: PackTrust | null },
  provider: ChosenProvider,
  signal: AbortSignal,
): Promise<LoadedLanguagePack> {
  const { summary, source } = await readLanguagePack(folder, signal, trust);
  const language = await provider.runtime.openLanguage(source, provider);
  return { summary, folder, provider: provider.name, language };
}
