/** The segments decrypted last, so that the frames of a large object do not each decrypt their neighbours again. */
export interface SegmentCache {
  get(object: string, index: number): Buffer | undefined;
  set(object: string, index: number, plain: Buffer): void;
  forget(object: string): void;
}

/** Holds at most `capacity` segments of 1 MiB. */
export function createSegmentCache(capacity: number): SegmentCache {
  // A Map remembers the order of insertion: its first key is the one used longest ago.
  const segments = new Map<string, Buffer>();
  const keyOf = (object: string, index: number) => `${object}:${index}`;

  return {
    get(object, index) {
      const key = keyOf(object, index);
      const plain = segments.get(key);
      if (!plain) return undefined;
      segments.delete(key);
      segments.set(key, plain);
      return plain;
    },
    set(object, index, plain) {
      segments.delete(keyOf(object, index));
      segments.set(keyOf(object, index), plain);
      for (const oldest of segments.keys()) {
        if (segments.size <= capacity) break;
        segments.delete(oldest);
      }
    },
    forget(object) {
      for (const key of segments.keys()) if (key.startsWith(`${object}:`)) segments.delete(key);
    },
  };
}
