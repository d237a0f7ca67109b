import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeText } from "../../../../archive/dicom/charset.ts";
import { tags } from "../../../../archive/dicom/tags.ts";
import { hasSharedData, sharedData, sharedDataMissing } from "../../../shared-data.ts";
import { parse } from "./read.ts";

const octets = (...parts: (string | number)[]) =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : [part])),
  );

/** The worked examples of PS3.5 annexes H, I, J and K. */
describe("character sets", () => {
  test("ISO_IR 100 (Latin 1)", () => {
    expect(decodeText(octets("Buc^J", 0xe9, "r", 0xf4, "me"), ["ISO_IR 100"], true)).toBe("Buc^Jérôme");
  });

  test("ISO_IR 192 (UTF-8)", () => {
    expect(decodeText(new TextEncoder().encode("Wang^XiaoDong=王^小東"), ["ISO_IR 192"], true)).toBe(
      "Wang^XiaoDong=王^小東",
    );
  });

  test("GB18030", () => {
    expect(decodeText(octets("Wang=", 0xcd, 0xf5, "^", 0xd0, 0xa1, 0xb6, 0xab), ["GB18030"], true)).toBe(
      "Wang=王^小东",
    );
  });

  test("ISO 2022 IR 87: kanji by escape sequences", () => {
    const toKanji = [0x1b, "$B"];
    const toAscii = [0x1b, "(B"];
    const family = [0x3b, 0x33, 0x45, 0x44];
    const given = [0x42, 0x40, 0x4f, 0x3a];
    const parts = ["Yamada^Tarou=", toKanji, family, toAscii, "^", toKanji, given, toAscii];
    const name = octets(...parts.flat());
    expect(decodeText(name, ["", "ISO 2022 IR 87"], true)).toBe("Yamada^Tarou=山田^太郎");
  });

  test("ISO 2022 IR 149: Korean, whose set is forgotten at the delimiter", () => {
    const name = octets("Hong=", 0x1b, "$)C", 0xfb, 0xf3, "^", 0x1b, "$)C", 0xd1, 0xce, 0xd4, 0xd7);
    expect(decodeText(name, ["", "ISO 2022 IR 149"], true)).toBe("Hong=洪^吉洞");
  });

  test("no declared set: UTF-8 where it is well-formed, else Latin 1", () => {
    expect(decodeText(new TextEncoder().encode("Müller"), [])).toBe("Müller");
    expect(decodeText(octets("M", 0xfc, "ller"), [])).toBe("Müller");
  });

  test("octets that no set knows become replacement characters, never an error", () => {
    expect(decodeText(octets(0x1b, "$B", 0x7f), ["", "ISO 2022 IR 87"], true)).toBeTypeOf("string");
    expect(decodeText(octets(0xff, 0xfe), ["ISO_IR 192"])).toContain("\ufffd");
    expect(decodeText(octets(0x41), ["NO SUCH SET"])).toBe("A");
  });
});

describe.skipIf(!hasSharedData)(
  `names of the corpus${hasSharedData ? "" : ` (${sharedDataMissing})`}`,
  () => {
    interface Entry {
      readonly file: string;
      readonly patient_name?: string;
    }
    const manifest = hasSharedData
      ? (JSON.parse(readFileSync(sharedData("dicom", "manifest.json"), "utf8")) as Entry[])
      : [];
    const named = manifest.filter((entry) => entry.file.startsWith("charset/") && entry.patient_name);

    // pydicom itself leaves the escapes of these undecoded.
    test.each(named.filter((entry) => !entry.patient_name?.includes("\u001b")))("$file", async (entry) => {
      const header = await parse(new Uint8Array(readFileSync(sharedData("dicom", entry.file))));
      expect(header.dataSet.string(tags.patientName)).toBe(entry.patient_name);
    });
  },
);
