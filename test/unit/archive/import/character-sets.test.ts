import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasSharedData, sharedData, sharedDataMissing } from "../../../shared-data.ts";
import { element, file, imageElements } from "../../../fixtures/dicom/build-dicom.ts";
import { filesWithText } from "../store/test-archive.ts";
import { openTestImport, type TestImport } from "./test-import.ts";

/** From the octets of a file to the worklist and its search, in each character set that DICOM has (PS3.3 C.12.1.1.2). */

let archive: TestImport;
beforeEach(async () => {
  archive = await openTestImport();
});
afterEach(() => archive.remove());

const escape = 0x1b;
const octets = (...parts: (string | number | readonly number[])[]) =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "string" ? [...part].map((letter) => letter.charCodeAt(0)) : part,
    ),
  );

function fileNamed(charset: string, name: Uint8Array): Buffer {
  const pixels = element(0x7fe00010, "OB", Uint8Array.of(1, 2, 3, 4));
  const more = [
    ...(charset === "" ? [] : [element(0x00080005, "CS", charset)]),
    element(0x00100010, "PN", name),
    pixels,
  ];
  return Buffer.from(file(imageElements({ rows: 2, columns: 2 }, more), "1.2.840.10008.1.2.1"));
}

interface Case {
  readonly charset: string;
  readonly octets: Uint8Array;
  readonly name: string;
  /** What a user types. */
  readonly searches: readonly string[];
}

const toAscii = [escape, "(B"] as const;
const toRoman = [escape, "(J"] as const;
const korean = [escape, "$)C"] as const;
const chinese = [escape, "$)A"] as const;

/** Letters of JIS X 0208, and the way back to what stands before them. */
const japanese = (letters: readonly number[], back: typeof toAscii | typeof toRoman) =>
  [escape, "$B", letters, ...back] as const;

/** The names of PS3.5 annexes H to K where it has them. */
const cases: readonly Case[] = [
  { charset: "", octets: octets("Doe^John"), name: "Doe^John", searches: ["john doe", "DOE^JOHN"] },
  {
    charset: "ISO_IR 100",
    octets: octets("Buc^J", 0xe9, "r", 0xf4, "me"),
    name: "Buc^Jérôme",
    searches: ["jerome", "Jérôme buc"],
  },
  {
    charset: "ISO_IR 101",
    octets: octets("Wa", 0xb3, 0xea, "sa^Lech"),
    name: "Wałęsa^Lech",
    searches: ["walesa", "WAŁĘSA"],
  },
  { charset: "ISO_IR 109", octets: octets(0xa1, "al^", 0xab), name: "Ħal^Ğ", searches: ["hal"] },
  { charset: "ISO_IR 110", octets: octets(0xa9, "k", 0xe8, "^A"), name: "Šk\u010d^A", searches: ["skc"] },
  {
    charset: "ISO_IR 144",
    octets: octets([0xbb, 0xee, 0xda, 0x63, 0x65, 0xdc, 0x62, 0xd5, 0x79]),
    name: "Люкceмbеy",
    searches: ["люк"],
  },
  {
    charset: "ISO_IR 127",
    octets: octets([0xe2, 0xc8, 0xc7, 0xe6, 0xea, 0x5e, 0xe4, 0xe6, 0xd2, 0xc7, 0xd1]),
    name: "قباني^لنزار",
    searches: ["لنزار قباني"],
  },
  {
    charset: "ISO_IR 126",
    octets: octets([0xc4, 0xe9, 0xef, 0xed, 0xf5, 0xf3, 0xe9, 0xef, 0xf2]),
    name: "Διονυσιος",
    searches: ["διονυσιος", "ΔΙΟΝΥΣΙΟΣ"],
  },
  {
    charset: "ISO_IR 138",
    octets: octets([0xf9, 0xf8, 0xe5, 0xef, 0x5e, 0xe3, 0xe1, 0xe5, 0xf8, 0xe4]),
    name: "שרון^דבורה",
    searches: ["דבורה"],
  },
  {
    charset: "ISO_IR 148",
    octets: octets(0xc7, "avu", 0xfe, 0xf0, "lu^", 0xdd, "pek"),
    name: "Çavuşğlu^İpek",
    searches: ["cavusglu ipek"],
  },
  {
    charset: "ISO_IR 166",
    octets: octets([0xca, 0xc1, 0xaa, 0xd2, 0xc2]),
    name: "สมชาย",
    searches: ["สมชาย"],
  },
  { charset: "ISO_IR 203", octets: octets(0xbc, "uf^A"), name: "Œuf^A", searches: ["oeuf"] },
  {
    charset: "ISO_IR 13",
    octets: octets([0xd4, 0xcf, 0xc0, 0xde, 0x5e, 0xc0, 0xdb, 0xb3]),
    name: "ﾔﾏﾀﾞ^ﾀﾛｳ",
    searches: ["ヤマダ タロウ", "ﾔﾏﾀﾞ"],
  },
  {
    charset: "\\ISO 2022 IR 87",
    octets: octets(
      "Yamada^Tarou=",
      ...japanese([0x3b, 0x33, 0x45, 0x44], toAscii),
      "^",
      ...japanese([0x42, 0x40, 0x4f, 0x3a], toAscii),
      "=",
      ...japanese([0x24, 0x64, 0x24, 0x5e, 0x24, 0x40], toAscii),
      "^",
      ...japanese([0x24, 0x3f, 0x24, 0x6d, 0x24, 0x26], toAscii),
    ),
    name: "Yamada^Tarou=山田^太郎=やまだ^たろう",
    searches: ["yamada", "山田", "太郎 yamada", "やまだ たろう"],
  },
  {
    charset: "ISO 2022 IR 13\\ISO 2022 IR 87",
    octets: octets(
      [0xd4, 0xcf, 0xc0, 0xde, 0x5e, 0xc0, 0xdb, 0xb3],
      "=",
      ...japanese([0x3b, 0x33, 0x45, 0x44], toRoman),
      "^",
      ...japanese([0x42, 0x40, 0x4f, 0x3a], toRoman),
    ),
    name: "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
    searches: ["ヤマダ", "山田 太郎"],
  },
  {
    charset: "\\ISO 2022 IR 149",
    octets: octets(
      "Hong^Gildong=",
      ...korean,
      [0xfb, 0xf3, 0x5e],
      ...korean,
      [0xd1, 0xce, 0xd4, 0xd7],
      "=",
      ...korean,
      [0xc8, 0xab, 0x5e],
      ...korean,
      [0xb1, 0xe6, 0xb5, 0xbf],
    ),
    name: "Hong^Gildong=洪^吉洞=홍^길동",
    searches: ["gildong", "洪 吉洞", "홍 길동"],
  },
  {
    charset: "\\ISO 2022 IR 58",
    octets: octets("Zhang^XiaoDong=", ...chinese, [0xd5, 0xc5, 0x5e], ...chinese, [0xd0, 0xa1, 0xb6, 0xab]),
    name: "Zhang^XiaoDong=张^小东",
    searches: ["xiaodong", "小东"],
  },
  {
    charset: "\\ISO 2022 IR 100\\ISO 2022 IR 144",
    octets: octets("Dionysos=", escape, "-L", [0xbb, 0xee, 0xda]),
    name: "Dionysos=Люк",
    searches: ["люк", "dionysos"],
  },
  {
    charset: "ISO_IR 192",
    octets: new TextEncoder().encode("Wang^XiaoDong=王^小東"),
    name: "Wang^XiaoDong=王^小東",
    searches: ["小東", "wang"],
  },
  {
    charset: "GB18030",
    octets: octets("Wang^XiaoDong=", [0xcd, 0xf5, 0x5e, 0xd0, 0xa1, 0xb6, 0xab]),
    name: "Wang^XiaoDong=王^小东",
    searches: ["王 小东"],
  },
  {
    charset: "GBK",
    octets: octets("Wang=", [0xcd, 0xf5]),
    name: "Wang=王",
    searches: ["王"],
  },
];

describe("a patient's name", () => {
  test.each(cases)("in $charset is listed, found, and kept from the disk", async (one) => {
    await archive.importPaths(await archive.write("name.dcm", fileNamed(one.charset, one.octets)));
    expect(archive.store.catalog.studies("").map(({ patientName }) => patientName)).toEqual([one.name]);
    for (const search of one.searches) {
      expect([search, archive.store.catalog.studies(search).length]).toEqual([search, 1]);
    }
    expect(archive.store.catalog.studies("somebody else")).toEqual([]);
    await archive.reopen();
    expect(archive.store.catalog.studies(one.searches[0]!)).toHaveLength(1);
    expect(await filesWithText(archive.dataFolder, one.octets)).toEqual([]);
    expect(await filesWithText(archive.dataFolder, one.name)).toEqual([]);
  });
});

describe.skipIf(!hasSharedData)(
  `files of the corpus${hasSharedData ? "" : ` (${sharedDataMissing})`}`,
  () => {
    interface Entry {
      readonly file: string;
      readonly patient_name?: string;
    }

    test("are listed with the names that another reader finds, and found by each part of them", async () => {
      const manifest = JSON.parse(readFileSync(sharedData("dicom", "manifest.json"), "utf8")) as Entry[];
      const named = manifest.filter(
        ({ file: name, patient_name }) =>
          name.startsWith("charset/") && patient_name && !patient_name.includes("\u001b"),
      );
      expect(named.length).toBeGreaterThan(10);
      await archive.importPaths(sharedData("dicom", "charset"));
      const listed = archive.store.catalog.studies("").map(({ patientName }) => patientName);
      // Some files are of one study, whose first file names its patient.
      expect(listed.length).toBeGreaterThan(3);
      const known = new Set(named.map((entry) => entry.patient_name));
      for (const patientName of listed.filter((name) => known.has(name))) {
        for (const part of patientName.split(/[=^ ]+/).filter(Boolean)) {
          const found = archive.store.catalog.studies(part).map((study) => study.patientName);
          expect([part, found.includes(patientName)]).toEqual([part, true]);
        }
      }
    });
  },
);
