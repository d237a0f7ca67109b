/** What each token of a vocabulary adds to a text; null where it is no text (special tokens). */
export type TokenBytes = readonly (Uint8Array | null)[];

/** Bytes. No text needs a longer token; a hostile tokenizer could have one. */
const longest = 1024;

/**
 * All tokens of a vocabulary as a tree by their bytes, in arrays, each node before what is below it: whoever walks it
 * reads a beginning that many tokens share once, and leaves out all of them where it leads nowhere.
 */
export class TokenTrie {
  /** By node. */
  readonly byte: Uint8Array;
  /** By node, from 1. */
  readonly depth: Uint16Array;
  /** By node: the next node that is not below it. */
  readonly next: Int32Array;
  /** By node: where its tokens begin in `ids`; one more entry at the end. */
  readonly first: Int32Array;
  readonly ids: Int32Array;
  readonly deepest: number;
  readonly bytes: TokenBytes;

  constructor(bytes: TokenBytes) {
    this.bytes = bytes;
    const entries = bytes.flatMap((text, id) =>
      !text || text.length === 0 || text.length > longest ? [] : [{ text, id }],
    );
    entries.sort((a, b) => Buffer.compare(a.text, b.text) || a.id - b.id);
    const nodes: { byte: number; depth: number; next: number; first: number }[] = [];
    const open: number[] = [];
    let before = new Uint8Array(0);
    for (const [index, { text }] of entries.entries()) {
      const shared = sharedLength(before, text);
      while (open.length > shared) nodes[open.pop()!]!.next = nodes.length;
      for (let depth = shared; depth < text.length; depth += 1) {
        open.push(nodes.length);
        // Nodes on the way to the token's own hold none: theirs begin and end where it does.
        nodes.push({ byte: text[depth]!, depth: depth + 1, next: 0, first: index });
      }
      before = text as Uint8Array<ArrayBuffer>;
    }
    while (open.length > 0) nodes[open.pop()!]!.next = nodes.length;
    this.byte = Uint8Array.from(nodes, (node) => node.byte);
    this.depth = Uint16Array.from(nodes, (node) => node.depth);
    this.next = Int32Array.from(nodes, (node) => node.next);
    this.first = Int32Array.from([...nodes.map((node) => node.first), entries.length]);
    this.ids = Int32Array.from(entries, ({ id }) => id);
    this.deepest = nodes.reduce((most, { depth }) => Math.max(most, depth), 0);
  }
}

function sharedLength(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}
