/** What every checkpoint format offers the importer: named tensors whose rows can be read a part at a time. */
export interface TensorInfo {
  readonly name: string;
  /** Row-major, outermost dimension first, as PyTorch writes it: [out, in] for a linear layer. */
  readonly shape: readonly number[];
  /** The format's own name of the element type, such as "Q4_1" or "BF16". */
  readonly type: string;
  /** Byte position in the file, and bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * Rows `first` to `first + count` (over all outer dimensions) as float32, `count × shape.at(-1)` values.
   * A tensor of one dimension is one row.
   */
  readRows(name: string, rows: RowRange): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface RowRange {
  readonly first: number;
  readonly count: number;
}

export function rowLength(info: TensorInfo): number {
  return info.shape.at(-1) ?? 1;
}

export function rowCount(info: TensorInfo): number {
  return info.shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);
}
