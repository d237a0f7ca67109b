/** The part of yauzl 3 that is used here. */
declare module "yauzl" {
  import type { Readable } from "node:stream";

  export interface Entry {
    readonly fileName: Buffer;
    readonly compressedSize: number;
    readonly uncompressedSize: number;
    readonly crc32: number;
    readonly generalPurposeBitFlag: number;
    isEncrypted(): boolean;
  }

  export interface ZipFile {
    readonly entryCount: number;
    eachEntry(): AsyncIterable<Entry>;
    openReadStreamPromise(entry: Entry): Promise<Readable>;
    close(): void;
  }

  export class RandomAccessReader {
    _readStreamForRange(start: number, end: number): Readable;
    close(callback: (error: Error | null) => void): void;
  }

  export function fromRandomAccessReaderPromise(
    reader: RandomAccessReader,
    totalSize: number,
    options: { autoClose: false; lazyEntries: true; decodeStrings: false; validateEntrySizes: true },
  ): Promise<ZipFile>;
}
