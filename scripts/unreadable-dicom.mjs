// One DICOM file with a very long patient name and pixel data that no decoder takes: what an error and a long name
// look like. Explicit VR little endian header, JPEG 2000 that is none (PS3.5 sections 7.1.2 and A.4).

const longVr = new Set(["OB", "OW", "SQ", "UN", "UT"]);

function element(group, number, vr, value) {
  const octets = typeof value === "string" ? Buffer.from(value, "latin1") : value;
  const padded =
    octets.length % 2 === 0 ? octets : Buffer.concat([octets, Buffer.from(vr === "UI" ? "\0" : " ")]);
  const head = Buffer.alloc(longVr.has(vr) ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, "latin1");
  if (longVr.has(vr)) head.writeUInt32LE(padded.length, 8);
  else head.writeUInt16LE(padded.length, 6);
  return Buffer.concat([head, padded]);
}

function short(value) {
  const octets = Buffer.alloc(2);
  octets.writeUInt16LE(value);
  return octets;
}

function item(octets) {
  const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
  head.writeUInt32LE(octets.length, 4);
  return Buffer.concat([head, octets]);
}

export function unreadableDicom() {
  const uid = "1.2.826.0.1.3680043.10.1.9";
  const sopClass = "1.2.840.10008.5.1.4.1.1.1";
  const meta = Buffer.concat([
    element(0x0002, 0x0002, "UI", sopClass),
    element(0x0002, 0x0003, "UI", `${uid}.3`),
    element(0x0002, 0x0010, "UI", "1.2.840.10008.1.2.4.90"),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  const pixels = Buffer.concat([
    Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item(Buffer.alloc(0)),
    item(Buffer.alloc(64, 0x5a)),
    Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    element(0x0002, 0x0000, "UL", length),
    meta,
    element(0x0008, 0x0016, "UI", sopClass),
    element(0x0008, 0x0018, "UI", `${uid}.3`),
    element(0x0008, 0x0020, "DA", "20260101"),
    element(0x0008, 0x0030, "TM", "080000"),
    element(0x0008, 0x0060, "CS", "CR"),
    element(0x0008, 0x1030, "LO", "Radiograph of the left wrist in two planes, follow-up in plaster"),
    element(0x0010, 0x0010, "PN", "Wolfeschlegelsteinhausenbergerdorff^Hubert Blaine Adolph Charles"),
    element(0x0010, 0x0020, "LO", "PHANTOM-0000000000000000000000000000000000000000000000000000"),
    element(0x0010, 0x0030, "DA", "19140804"),
    element(0x0010, 0x0040, "CS", "M"),
    element(0x0020, 0x000d, "UI", `${uid}.1`),
    element(0x0020, 0x000e, "UI", `${uid}.2`),
    element(0x0020, 0x0011, "IS", "1"),
    element(0x0020, 0x0013, "IS", "1"),
    element(0x0028, 0x0002, "US", short(1)),
    element(0x0028, 0x0004, "CS", "MONOCHROME2"),
    element(0x0028, 0x0010, "US", short(64)),
    element(0x0028, 0x0011, "US", short(64)),
    element(0x0028, 0x0100, "US", short(16)),
    element(0x0028, 0x0101, "US", short(12)),
    element(0x0028, 0x0102, "US", short(11)),
    element(0x0028, 0x0103, "US", short(0)),
    pixels,
  ]);
}
