// DICOM files made for the pictures: one that no decoder takes, with a very long patient name (what an error and a long
// name look like), and a JPEG in the header of a radiograph. Explicit VR little endian, encapsulated pixel data (PS3.5
// sections 7.1.2 and A.4).

const longVr = new Set(["OB", "OW", "SQ", "UN", "UT"]);
const computedRadiography = "1.2.840.10008.5.1.4.1.1.1";

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
  const padded = octets.length % 2 === 0 ? octets : Buffer.concat([octets, Buffer.alloc(1)]);
  const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
  head.writeUInt32LE(padded.length, 4);
  return Buffer.concat([head, padded]);
}

/** `header` and `image`: elements in the order of their tags, below and from group 0028 on; one frame. */
function radiograph({ uid, transferSyntax, header, image, frame }) {
  const meta = Buffer.concat([
    element(0x0002, 0x0002, "UI", computedRadiography),
    element(0x0002, 0x0003, "UI", `${uid}.3`),
    element(0x0002, 0x0010, "UI", transferSyntax),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    element(0x0002, 0x0000, "UL", length),
    meta,
    element(0x0008, 0x0016, "UI", computedRadiography),
    element(0x0008, 0x0018, "UI", `${uid}.3`),
    ...header,
    element(0x0020, 0x000d, "UI", `${uid}.1`),
    element(0x0020, 0x000e, "UI", `${uid}.2`),
    element(0x0020, 0x0011, "IS", "1"),
    element(0x0020, 0x0013, "IS", "1"),
    element(0x0028, 0x0002, "US", short(1)),
    element(0x0028, 0x0004, "CS", "MONOCHROME2"),
    ...image,
    Buffer.from([0xe0, 0x7f, 0x10, 0x00, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]),
    item(Buffer.alloc(0)),
    item(frame),
    Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]),
  ]);
}

const matrix = (rows, columns) => [
  element(0x0028, 0x0010, "US", short(rows)),
  element(0x0028, 0x0011, "US", short(columns)),
];

/** Bits allocated and stored, unsigned. */
const depth = (allocated, stored) => [
  element(0x0028, 0x0100, "US", short(allocated)),
  element(0x0028, 0x0101, "US", short(stored)),
  element(0x0028, 0x0102, "US", short(stored - 1)),
  element(0x0028, 0x0103, "US", short(0)),
];

export function unreadableDicom() {
  return radiograph({
    uid: "1.2.826.0.1.3680043.10.1.9",
    transferSyntax: "1.2.840.10008.1.2.4.90",
    header: [
      element(0x0008, 0x0020, "DA", "20260101"),
      element(0x0008, 0x0030, "TM", "080000"),
      element(0x0008, 0x0060, "CS", "CR"),
      element(0x0008, 0x1030, "LO", "Radiograph of the left wrist in two planes, follow-up in plaster"),
      element(0x0010, 0x0010, "PN", "Wolfeschlegelsteinhausenbergerdorff^Hubert Blaine Adolph Charles"),
      element(0x0010, 0x0020, "LO", "PHANTOM-0000000000000000000000000000000000000000000000000000"),
      element(0x0010, 0x0030, "DA", "19140804"),
      element(0x0010, 0x0040, "CS", "M"),
    ],
    image: [...matrix(64, 64), ...depth(16, 12)],
    frame: Buffer.alloc(64, 0x5a),
  });
}

/** A grey 8-bit baseline JPEG of a limb, shown with every level as it is stored. */
export function limbRadiograph(jpeg, { description, patient, bodyPart }) {
  return radiograph({
    uid: "1.2.826.0.1.3680043.10.1.8",
    transferSyntax: "1.2.840.10008.1.2.4.50",
    header: [
      element(0x0008, 0x0060, "CS", "CR"),
      element(0x0008, 0x1030, "LO", description),
      element(0x0010, 0x0010, "PN", patient),
      element(0x0010, 0x0020, "LO", patient),
      element(0x0018, 0x0015, "CS", bodyPart),
    ],
    image: [
      ...matrix(...sidesOf(jpeg)),
      ...depth(8, 8),
      element(0x0028, 0x1050, "DS", "128"),
      element(0x0028, 0x1051, "DS", "256"),
    ],
    frame: jpeg,
  });
}

/** Rows and columns, from the frame header of a baseline JPEG (ITU-T T.81, B.2.2). */
function sidesOf(jpeg) {
  for (let at = 2; at + 9 < jpeg.length; at += 2 + jpeg.readUInt16BE(at + 2)) {
    if (jpeg.readUInt16BE(at) === 0xffc0) return [jpeg.readUInt16BE(at + 5), jpeg.readUInt16BE(at + 7)];
  }
  throw new Error("not a baseline JPEG");
}
