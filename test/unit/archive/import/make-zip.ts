import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  readonly stored?: boolean;
  /** Lies in the headers: sizes, checksum, the place of the data. */
  readonly claims?: {
    readonly size?: number;
    readonly crc?: number;
    readonly offset?: number;
    readonly flags?: number;
    /** As Unix has it, with the kind of file: 0o120777 is a link. */
    readonly mode?: number;
  };
}

/** A ZIP (APPNOTE 4.3), also one that lies. */
export function makeZip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content, stored = false, claims = {} } of entries) {
    const packed = stored ? content : deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | (claims.flags ?? 0), 2);
    common.writeUInt16LE(stored ? 0 : 8, 4);
    common.writeUInt32LE(claims.crc ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claims.size ?? content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, Buffer.from(name), packed]);
    const placed = Buffer.alloc(14);
    placed.writeUInt32LE(((claims.mode ?? 0) << 16) >>> 0, 6);
    placed.writeUInt32LE(claims.offset ?? offset, 10);
    central.push(
      Buffer.concat([
        Buffer.from(`PK\x01\x02\x14${claims.mode === undefined ? "\x00" : "\x03"}`, "latin1"),
        common,
        placed,
        Buffer.from(name),
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
