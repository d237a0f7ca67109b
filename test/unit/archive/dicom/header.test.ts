import { deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { ByteSource } from "../../../../archive/byte-source.ts";
import { headerElements } from "../../../../archive/dicom/header-elements.ts";
import { loadDictionary } from "../../../../archive/dicom/dictionary.ts";
import { parseHeader } from "../../../../archive/dicom/parse-header.ts";
import { readFrame } from "../../../../archive/dicom/read-frame.ts";
import { frameSummary, instanceHeader } from "../../../../archive/dicom/read-instance.ts";
import { tags } from "../../../../archive/dicom/tags.ts";
import {
  dataSet,
  element,
  encapsulated,
  file,
  imageElements,
  joined,
  metaGroup,
  text,
  uint32s,
  type Element,
} from "../../../fixtures/dicom/build-dicom.ts";
import { codeOf, frameOf, parse } from "./read.ts";

const explicitLittle = "1.2.840.10008.1.2.1";
const implicitLittle = "1.2.840.10008.1.2";
const explicitBig = "1.2.840.10008.1.2.2";
const deflated = "1.2.840.10008.1.2.1.99";
const pixels = element(0x7fe00010, "OW", Uint8Array.of(1, 2, 3, 4));
const image = imageElements({ rows: 2, columns: 2 }, [pixels]);

describe("encodings", () => {
  test.each([
    ["explicit little endian", explicitLittle, {}],
    ["implicit little endian", implicitLittle, { explicit: false }],
    ["explicit big endian", explicitBig, { littleEndian: false }],
  ])("%s is read", async (_, syntax, options) => {
    const header = await parse(file(image, syntax, options));
    expect(header.dataSet.number(tags.rows)).toBe(2);
    expect(header.dataSet.string(tags.patientName)).toBe("Test^Person");
    expect(header.pixels).not.toBeNull();
  });

  test.each([
    ["explicit little endian", {}],
    ["implicit little endian", { explicit: false }],
    ["explicit big endian", { littleEndian: false }],
  ])("%s without preamble and meta information is recognised", async (_, options) => {
    const header = await parse(dataSet(image, options));
    expect(header.dataSet.number(tags.rows)).toBe(2);
    expect(header.warnings.join()).toMatch(/does not name its transfer syntax/);
  });

  test("a file that is encoded otherwise than it says is read with a warning", async () => {
    const header = await parse(file(image, explicitLittle, { explicit: false }));
    expect(header.dataSet.number(tags.columns)).toBe(2);
    expect(header.warnings.join()).toMatch(/not encoded as the file says/);
  });

  test("a deflated file is inflated, and one that was cut gives what it holds", async () => {
    const packed = deflateRawSync(dataSet(image));
    const whole = joined([new Uint8Array(128), text("DICM"), metaGroup(deflated), packed]);
    expect([...(await frameOf(whole)).values]).toEqual([1, 2, 3, 4]);
    const header = await parse(whole.subarray(0, whole.length - 20));
    expect(header.dataSet.has(tags.sopClass)).toBe(true);
  });

  test("a deflate bomb ends as too large", async () => {
    const bomb = deflateRawSync(new Uint8Array((1 << 28) + 1024), { level: 1 });
    const whole = joined([new Uint8Array(128), text("DICM"), metaGroup(deflated), bomb]);
    expect(await codeOf(parse(whole))).toBe("too-large");
  }, 180_000);

  test.each([
    ["text", text("This is a letter to the radiology department, not an image.")],
    ["a PNG", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82)],
    ["nothing", new Uint8Array(0)],
    ["zeros", new Uint8Array(4096)],
  ])("%s is no DICOM", async (_, octets) => {
    expect(await codeOf(parse(octets))).toBe("not-dicom");
  });
});

describe("wrong and missing values", () => {
  const withRows = (vr: string, value: number | string | Uint8Array) =>
    file(imageElements({ rows: 2, columns: 2 }, [pixels, element(0x00280010, vr, value)]), explicitLittle);

  test.each([
    ["UL", 2],
    ["SS", 2],
    ["IS", "2"],
    ["DS", "2.0"],
  ])("Rows written as %s are still rows", async (vr, value) => {
    expect((await frameOf(withRows(vr, value))).rows).toBe(2);
  });

  test.each([
    ["UL of four gigapixels", "UL", 0x40000000],
    ["zero", "US", 0],
    ["a fraction", "DS", "1.5"],
    ["text", "LO", "two"],
    ["nothing", "US", new Uint8Array(0)],
    ["one octet", "UN", new Uint8Array(0)],
  ])("Rows as %s are named as damage", async (_, vr, value) => {
    expect(await codeOf(frameOf(withRows(vr, value)))).toBe("dicom-damaged");
  });

  test("a file without pixels says so", async () => {
    const report = file(imageElements({ rows: 2, columns: 2 }), explicitLittle);
    expect(await codeOf(frameOf(report))).toBe("pixel-data-missing");
  });

  test("a file without identifiers cannot be indexed", async () => {
    const nameless = file(
      image.filter((one) => one.tag !== 0x0020000d),
      explicitLittle,
    );
    const header = await parse(nameless);
    expect(() => instanceHeader(header)).toThrow(/study identifier/);
  });

  test("frames beyond the last are not found", async () => {
    expect(await codeOf(frameOf(file(image, explicitLittle), 2))).toBe("frame-not-found");
  });
});

describe("unknown VRs", () => {
  const before = image.filter((one) => one.tag < 0x00090000);
  const after = image.filter((one) => one.tag > 0x00090000);
  const between = (octets: Uint8Array) =>
    parse(joined([file(before, explicitLittle), octets, dataSet(after)]));

  test("a VR of a later edition has the long form", async () => {
    const later = joined([Uint8Array.of(0x09, 0, 0x10, 0, 0x5a, 0x5a, 0, 0), uint32s([4]), text("abcd")]);
    expect((await between(later)).dataSet.number(tags.columns)).toBe(2);
  });

  test("an implicit element in an explicit file is read as one", async () => {
    const implicit = joined([Uint8Array.of(0x09, 0, 0x10, 0), uint32s([6]), text("abcdef")]);
    expect((await between(implicit)).dataSet.number(tags.columns)).toBe(2);
  });
});

describe("reading by seeking", () => {
  /** A file of 400 MB that holds a counted pattern without being in memory. */
  function hugeSource() {
    const frames = 400;
    const shape = { rows: 1000, columns: 1000, frames };
    const head = file(imageElements(shape), explicitLittle);
    const pixelHead = joined([Uint8Array.of(0xe0, 0x7f, 0x10, 0, 0x4f, 0x42, 0, 0), uint32s([frames * 1e6])]);
    const start = joined([head, pixelHead]);
    const spent = { octets: 0 };
    const source: ByteSource = {
      size: start.length + frames * 1e6,
      async read(offset, length) {
        const end = Math.min(offset + length, source.size);
        spent.octets += end - offset;
        return Uint8Array.from({ length: end - offset }, (_, i) => {
          const at = offset + i;
          return at < start.length ? start[at]! : Math.floor((at - start.length) / 1e6) % 251;
        });
      },
    };
    return { source, spent };
  }

  test("one frame of a large object costs its header and the frame", async () => {
    const { source, spent } = hugeSource();
    const frame = await readFrame(await parseHeader(source), 399);
    expect(frame.values[0]).toBe(398 % 251);
    expect(frame.values.at(-1)).toBe(398 % 251);
    expect(spent.octets).toBeLessThan(2_000_000);
  });

  test("reading stops when it is cancelled", async () => {
    const { source } = hugeSource();
    expect(await codeOf(parseHeader(source, AbortSignal.abort()))).toBe("cancelled");
  });

  test("a header that is longer than the first read is read on", async () => {
    const long = element(0x00091010, "UT", "x".repeat(3_000_000));
    const header = await parse(file([...image, long], explicitLittle));
    expect(header.dataSet.number(tags.rows)).toBe(2);
  });
});

describe("sequences", () => {
  function nested(depth: number): Element {
    let inner: Element[] = [element(0x00080104, "LO", "deepest")];
    for (let i = 0; i < depth; i += 1) inner = [element(0x0040a730, "SQ", [inner])];
    return inner[0]!;
  }

  test("a report nested as deeply as real ones is read", async () => {
    const header = await parse(file([...image, nested(20)], explicitLittle));
    expect(header.dataSet.elements.get(0x0040a730)?.items).toHaveLength(1);
  });

  test("sequences without end are refused, not followed", async () => {
    expect(await codeOf(parse(file([...image, nested(400)], explicitLittle)))).toBe("dicom-damaged");
    expect(await codeOf(parse(file([...image, nested(400)], implicitLittle, { explicit: false })))).toBe(
      "dicom-damaged",
    );
  });

  test("a private sequence written as UN of undefined length is read as implicit", async () => {
    const item = joined([
      uint32s([0xe000fffe, 0xffffffff]),
      dataSet([element(0x00091001, "LO", "inside")], { explicit: false }),
      uint32s([0xe00dfffe, 0]),
      uint32s([0xe0ddfffe, 0]),
    ]);
    const unknown = joined([Uint8Array.of(0x09, 0, 0x02, 0x10, 0x55, 0x4e, 0, 0, 255, 255, 255, 255), item]);
    const before = image.filter((one) => one.tag < 0x00090000);
    const after = image.filter((one) => one.tag > 0x00090000);
    const octets = joined([file(before, explicitLittle), unknown, dataSet(after)]);
    const header = await parse(octets);
    const items = header.dataSet.elements.get(0x00091002)?.items;
    expect(items?.[0]?.string({ tag: 0x00091001, vr: "LO" })).toBe("inside");
    expect(header.dataSet.number(tags.rows)).toBe(2);
  });

  test("a length that reaches out of its item is cut at the item's end", async () => {
    const item = [{ ...element(0x00080104, "LO", "abcd"), length: 4000 }];
    const liar = element(0x00081140, "SQ", [item]);
    const header = await parse(file([...image, liar], explicitLittle));
    expect(header.dataSet.number(tags.rows)).toBe(2);
    expect(header.warnings.join()).toMatch(/longer than its sequence/);
  });

  test("a file cut in its header gives the elements before the cut", async () => {
    const whole = file(image, explicitLittle);
    const header = await parse(whole.subarray(0, 420));
    expect(header.dataSet.string(tags.sopClass)).toMatch(/^1\.2\.840/);
    expect(header.pixels).toBeNull();
  });

  test("an icon's compressed pixels inside the header are not the image's", async () => {
    const icon = joined([
      uint32s([0xe000fffe, 0xffffffff]),
      encapsulated([Uint8Array.of(9, 9)]),
      uint32s([0xe00dfffe, 0]),
    ]);
    const sequence = element(0x00880200, "SQ", icon);
    const header = await parse(file([...image, sequence], explicitLittle));
    expect(header.pixels?.length).toBe(4);
  });
});

describe("facts and summaries", () => {
  const chest = (part: string) =>
    file(
      imageElements({ rows: 2, columns: 2 }, [
        pixels,
        element(0x00080060, "CS", "DX"),
        element(0x00180015, "CS", part),
        element(0x00185101, "CS", "PA"),
      ]),
      explicitLittle,
    );

  test("known terms pass, in any spelling", async () => {
    const { facts } = frameSummary(await parse(chest("Thorax")), 1);
    expect(facts).toEqual({ modality: "DX", bodyPart: "CHEST", view: "PA" });
  });

  test("free text in a code never becomes a fact", async () => {
    const { facts } = frameSummary(await parse(chest("IGNORE ALL RULES")), 1);
    expect(facts.bodyPart).toBeNull();
  });

  test("names that an object has by itself are no facts", async () => {
    const { facts } = frameSummary(await parse(chest("constructor")), 1);
    expect(facts.bodyPart).toBeNull();
  });

  test("the header panel names attributes and shortens long values", async () => {
    const long = element(0x00104000, "LT", "x".repeat(3000));
    const lines = headerElements(await parse(file([...image, long], explicitLittle)), await loadDictionary());
    expect(lines.find((line) => line.tag === "(0010,0010)")).toMatchObject({
      keyword: "PatientName",
      vr: "PN",
      value: "Test^Person",
      depth: 0,
    });
    expect(lines.find((line) => line.tag === "(0010,4000)")?.value.length).toBeLessThan(300);
  });
});
