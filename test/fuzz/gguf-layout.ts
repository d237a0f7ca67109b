/** Where the numbers of a GGUF header stand (ggml/docs/gguf.md, version 3), of a file that is known to be sound. */
export interface GgufPlaces {
  readonly alignment: number;
  readonly dataStart: number;
  readonly tensors: readonly GgufTensorPlace[];
  /** Positions of the types and of the lengths (8 bytes) of metadata values. */
  readonly types: readonly number[];
  readonly lengths: readonly number[];
}

export interface GgufTensorPlace {
  /** uint32 */
  readonly rank: number;
  /** uint64 each */
  readonly dimensions: readonly number[];
  /** uint32 */
  readonly type: number;
  /** uint64, from the start of the data */
  readonly offset: number;
}

const scalarBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const stringType = 8;
const arrayType = 9;

export function ggufPlaces(bytes: Uint8Array): GgufPlaces {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const types: number[] = [];
  const lengths: number[] = [];
  let at = 8;
  const size = () => {
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  };
  const type = () => {
    types.push(at);
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const skipText = () => {
    lengths.push(at);
    const length = size();
    at += length;
  };
  const skipValue = (kind: number): void => {
    if (kind === stringType) skipText();
    else if (kind === arrayType) {
      const inner = type();
      lengths.push(at);
      for (let left = size(); left > 0; left--) skipValue(inner);
    } else at += scalarBytes[kind] as number;
  };
  const tensorCount = size();
  const entryCount = size();
  let alignment = 32;
  for (let i = 0; i < entryCount; i++) {
    const length = Number(view.getBigUint64(at, true));
    const key = new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + length));
    skipText();
    const kind = type();
    if (key === "general.alignment") alignment = view.getUint32(at, true);
    skipValue(kind);
  }
  const tensors: GgufTensorPlace[] = [];
  for (let i = 0; i < tensorCount; i++) {
    skipText();
    const rank = at;
    at += 4;
    const dimensions = Array.from({ length: view.getUint32(rank, true) }, (_, k) => at + 8 * k);
    at += 8 * dimensions.length;
    tensors.push({ rank, dimensions, type: at, offset: at + 4 });
    at += 12;
  }
  return { alignment, dataStart: Math.ceil(at / alignment) * alignment, tensors, types, lengths };
}
