/** A small DICOM file in Explicit VR Little Endian: 8 x 8 pixels of 16 bit. */
export interface DicomText {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
  readonly patientName?: string;
  readonly instanceNumber?: number;
  /** Fills the pixels. */
  readonly value?: number;
  /** Pixels a side; the square must stay below the length of an element. */
  readonly side?: number;
}

export function makeDicom(text: DicomText): Buffer {
  const side = text.side ?? 8;
  const pixels = Buffer.alloc(side * side * 2);
  for (let at = 0; at < pixels.length; at += 2) pixels.writeUInt16LE(text.value ?? 1, at);
  const meta = [
    element(0x0002, 0x0002, "UI", "1.2.840.10008.5.1.4.1.1.2"),
    element(0x0002, 0x0003, "UI", text.instance),
    element(0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1"),
  ];
  const metaLength = Buffer.alloc(4);
  metaLength.writeUInt32LE(Buffer.concat(meta).length);
  const body = [
    element(0x0008, 0x0005, "CS", "ISO_IR 192"),
    element(0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"),
    element(0x0008, 0x0018, "UI", text.instance),
    element(0x0008, 0x0020, "DA", "20240102"),
    element(0x0008, 0x0060, "CS", "CT"),
    element(0x0010, 0x0010, "PN", text.patientName ?? "Test^Patient"),
    element(0x0010, 0x0020, "LO", "ID-1"),
    element(0x0020, 0x000d, "UI", text.study),
    element(0x0020, 0x000e, "UI", text.series),
    element(0x0020, 0x0013, "IS", String(text.instanceNumber ?? 1)),
    element(0x0028, 0x0002, "US", uint16(1)),
    element(0x0028, 0x0004, "CS", "MONOCHROME2"),
    element(0x0028, 0x0010, "US", uint16(side)),
    element(0x0028, 0x0011, "US", uint16(side)),
    element(0x0028, 0x0100, "US", uint16(16)),
    element(0x0028, 0x0101, "US", uint16(12)),
    element(0x0028, 0x0102, "US", uint16(11)),
    element(0x0028, 0x0103, "US", uint16(0)),
    element(0x7fe0, 0x0010, "OW", pixels),
  ];
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    element(0x0002, 0x0000, "UL", metaLength),
    ...meta,
    ...body,
  ]);
}

function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16LE(value);
  return octets;
}

function element(group: number, number: number, vr: string, value: string | Buffer): Buffer {
  let octets = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  if (octets.length % 2 === 1) octets = Buffer.concat([octets, Buffer.from(vr === "UI" ? "\0" : " ")]);
  const isLong = vr === "OW";
  const start = Buffer.alloc(isLong ? 12 : 8);
  start.writeUInt16LE(group, 0);
  start.writeUInt16LE(number, 2);
  start.write(vr, 4, "latin1");
  if (isLong) start.writeUInt32LE(octets.length, 8);
  else start.writeUInt16LE(octets.length, 6);
  return Buffer.concat([start, octets]);
}
