/** The package ships its declarations under a path that its package.json does not name. */
declare module "jpeg-lossless-decoder-js" {
  export class Decoder {
    decode(buffer: ArrayBuffer, offset: number, length: number, numBytes: number): unknown;
  }
}
