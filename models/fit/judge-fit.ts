import type { PackFit } from "../../core/memory-fit.ts";
import type { MachineMemory } from "./available-memory.ts";
import type { PackSizes } from "./pack-sizes.ts";

const mega = 1_000_000;

/**
 * The process with ONNX Runtime and without a pack, and what its largest step takes beside the parts below:
 * measured with the embedded pack (docs/decisions/model-runtime.md).
 */
const appBytes = 200 * mega;
/** Bytes of memory for each byte of a graph file: nodes become objects, constants are computed ahead. */
const graphFactor = 10;
/** A question and its answer beside the images. */
const textTokens = 1024;
/** Tokens by which a cache in main memory grows; on a card it takes `deviceTokens` at once. */
const step = 256;
const deviceTokens = 2048;
/** One for the question, one that is kept for the next (`ReaderPool`). */
const caches = 2;
/** Values of a convolution's first layers that are alive together, for each pixel of the model input. */
const valuesAPixel = 64;
/** Images that are encoded together, and the bounds of what is kept of references (`ImageEncoder`, `KeptImages`). */
const batch = 4;
const keptBytes = 64 * 1024 * 1024;
const float = 4;

export interface MemoryNeed {
  readonly parts: PackFit["parts"];
  readonly main: number;
  /** Null: nothing lies on a card. */
  readonly device: number | null;
}

/** What a pack takes while it answers a question about one image and tests the answer, on the CPU or on a card. */
export function memoryNeed(sizes: PackSizes, onDevice: boolean): MemoryNeed {
  const { image, halfBytes: half } = sizes;
  const token = tokenBytes(sizes, onDevice);
  const imageTokens = image?.tokens ?? 0;
  const asked = Math.ceil((imageTokens + textTokens) / step) * step;
  const tokens = Math.min(sizes.contextLength, onDevice ? deviceTokens : asked);
  const packed = sizes.packedBytes + (onDevice ? half : 2 * half) || sizes.languageBytes;
  // On a card the file's bytes are copied there; on the CPU the kernels make their own order of them. Of 16 bits every
  // matrix is known; a token embedding beside them stays in the file.
  const language = onDevice && half === 0 ? Math.max(packed, sizes.languageBytes) : packed;
  const graphs = graphFactor * sizes.graphBytes + 2 * sizes.inlineBytes;
  const vision = 2 * sizes.visionBytes;
  const keptReads = Math.min(keptBytes, sizes.references * imageTokens * token);
  const cache = caches * tokens * token + (onDevice ? 0 : keptReads);
  const pixels = image === null ? 0 : image.width * image.height;
  const embeddings = Math.min(keptBytes, (sizes.references + batch) * imageTokens * sizes.hidden * float);
  const activations = batch * pixels * valuesAPixel * float;
  const inputs = sizes.references * pixels * 3;
  const whole = (value: number) => Math.round(value);
  const parts = {
    app: appBytes,
    weights: whole(language + graphs + vision),
    cache: whole(cache),
    images: whole(activations + embeddings + inputs),
  };
  const all = parts.app + parts.weights + parts.cache + parts.images;
  if (!onDevice) return { parts, main: all, device: null };
  const device = whole(language + vision + cache + activations);
  return { parts, main: all - device, device };
}

/** The processor keeps float32 where a card keeps 16 bits (models/runtime/processor-graph.ts). */
function tokenBytes({ cacheTokenBytes, halfBytes }: PackSizes, onDevice: boolean): number {
  return halfBytes > 0 && !onDevice ? 2 * cacheTokenBytes : cacheTokenBytes;
}

export interface FitQuestion {
  readonly pack: string;
  readonly digest: string;
  readonly provider: string;
  readonly sizes: PackSizes;
  readonly memory: MachineMemory;
  /** Of the card that the provider uses; null: the processor, or it cannot be asked. */
  readonly deviceFree: number | null;
}

/** Compares what a pack needs with what there is. */
export function judgeFit({ pack, digest, provider, sizes, memory, deviceFree }: FitQuestion): PackFit {
  const onDevice = !provider.startsWith("cpu");
  const { parts, main, device } = memoryNeed(sizes, onDevice);
  const deviceShort = device !== null && deviceFree !== null && device > deviceFree;
  const status = statusOf(main, memory);
  const judged = deviceShort && status !== "too-large" ? "tight" : status;
  return {
    pack,
    digest,
    provider,
    status: judged,
    text: deviceShort
      ? `Needs ${sizeText(device)} on the graphics card, ${sizeText(deviceFree)} free: choose CPU or a smaller pack.`
      : sentence(judged, main, memory),
    needs_bytes: main,
    free_bytes: memory.free,
    total_bytes: memory.total,
    device: device === null ? null : { needs_bytes: device, free_bytes: deviceFree },
    parts,
    cache_token_bytes: tokenBytes(sizes, onDevice),
  };
}

function statusOf(needs: number, { free, total }: MachineMemory): PackFit["status"] {
  if (total !== null && needs > total) return "too-large";
  if (free === null) return "unknown";
  return needs > free ? "tight" : "fits";
}

function sentence(status: PackFit["status"], needs: number, { free, total }: MachineMemory): string {
  const needed = `Needs ${sizeText(needs)}`;
  switch (status) {
    case "fits":
      return `${needed}, ${sizeText(free ?? 0)} free.`;
    case "tight":
      return `${needed}, ${sizeText(free ?? 0)} free: close other programs or choose a smaller pack.`;
    case "too-large":
      return `${needed}; this machine has ${sizeText(total ?? 0)}: choose a smaller pack.`;
    default:
      return `${needed}; how much is free cannot be told here.`;
  }
}

/** One decimal, in decimal gigabytes as disks and file managers count. */
export function sizeText(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
