/**
 * Random-access octets: the seam between the store (encrypted objects, plain files, uploads) and the DICOM
 * reader, so that the header or one frame of a 1 GB file is read by seeking and nothing else is decrypted.
 */
export interface ByteSource {
  /** Octets in all. */
  readonly size: number;
  /**
   * Octets from `offset` on: `length` of them, fewer only where the source ends before. The array belongs to the
   * caller, who may keep and change it.
   * @throws archive-damaged where stored octets are not what was written, and what the file system throws.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Octets that are in memory already. */
export function bytesSource(octets: Uint8Array): ByteSource {
  return {
    size: octets.length,
    read: async (offset, length) => octets.slice(offset, offset + length),
  };
}
