/** A decoded PNG or JPEG: interleaved samples, 8 or 16 bits a sample. */
export interface RawPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly values: Uint8Array | Uint16Array;
  readonly warnings: readonly string[];
}
