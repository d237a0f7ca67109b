import { promptFor } from "./bind-question.ts";
import { chooseReferences, type ReferenceImage } from "./evidence/references.ts";
import type { LoadedPack } from "./loaded-pack.ts";
import { promptLength } from "./runtime/prompt-reader.ts";

/** Where one image takes longer than this, reading ahead would keep the machine busy for minutes. */
const patienceMs = 2_000;

/**
 * Reads the pack's reference images ahead, so that the reliance of the first question about each kind of image need not
 * wait for them. Ends early where they are more than is kept, or where the machine is slow.
 * @throws cancelled
 */
export async function readReferences(pack: LoadedPack, signal: AbortSignal): Promise<void> {
  const { kept } = pack.readers;
  const { embeddings } = pack.references;
  const missing = [...referencesInUse(pack)].filter((image) => {
    const embedding = embeddings.get(image);
    return embedding === undefined || !kept.has(embedding);
  });
  if (missing.length === 0) return;
  // One of its own: those of the pool hold the prompts that the next question may go on from.
  const reader = pack.readers.create();
  try {
    for (const image of missing) {
      const started = performance.now();
      const before = kept.size;
      const embedding = embeddings.get(image) ?? (await pack.encoder.encode([image.input], signal))[0]!;
      embeddings.set(image, embedding);
      // What stands before the image is the same for every question.
      const question = { question: "", choices: null, facts: noFacts };
      const parts = promptFor(pack, question, [embedding]).slice(0, 2);
      const last = promptLength(parts) - 1;
      await reader.read({ parts, rows: [last], lasting: true }, signal);
      if (kept.size === before || performance.now() - started > patienceMs) return;
    }
  } finally {
    await reader.dispose();
  }
}

const noFacts = { modality: null, bodyPart: null, view: null };

/** Those that questions about images of the references' own kinds are measured against, kind by kind. */
function referencesInUse({ references }: LoadedPack): Set<ReferenceImage> {
  const chosen = references.images.flatMap(
    ({ modality, bodyPart }) => chooseReferences(references, { modality, bodyPart, view: null }).references,
  );
  return new Set(chosen);
}
