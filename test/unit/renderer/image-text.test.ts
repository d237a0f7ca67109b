import { describe, expect, test } from "vitest";
import type { HeaderElement } from "../../../core/archive-events.ts";
import { intendedText, intervalText } from "../../../renderer/models/figure-text.ts";
import { bytesText } from "../../../renderer/settings/bytes-text.ts";
import { matchingElements } from "../../../renderer/viewport/HeaderDialog.tsx";
import { scaleBar } from "../../../renderer/viewport/scale.ts";
import { slicePosition } from "../../../renderer/viewport/slice-position.ts";
import { techniqueText } from "../../../renderer/viewport/technique.ts";
import { personText, timeText } from "../../../renderer/studies/study-text.ts";

const element = (keyword: string, value: string, depth = 0): HeaderElement => ({
  tag: "(0018,0060)",
  keyword,
  vr: "DS",
  value,
  depth,
});

describe("the scale bar", () => {
  test("is the longest round length that fits", () => {
    const bar = scaleBar({ row: 0.5, column: 0.5, source: "pixel" }, 1, 250);
    expect(bar).toEqual({ millimetres: 100, length: 200, text: "10 cm" });
  });

  test("says when a length is at the detector and not in the patient", () => {
    expect(scaleBar({ row: 1, column: 1, source: "imager" }, 1, 60)?.text).toBe("5 cm at the detector");
    expect(scaleBar({ row: 1, column: 1, source: "calibrated" }, 1, 60)?.text).toBe("5 cm (calibrated)");
  });

  test("is not drawn without a spacing", () => {
    expect(scaleBar(null, 1, 250)).toBeNull();
  });
});

test("the position of a slice is measured along its normal", () => {
  const axial = { orientation: [1, 0, 0, 0, 1, 0], position: [-100, -80, 42.5], patientOrientation: null };
  expect(slicePosition(axial as never)).toBe(42.5);
  const sagittal = { orientation: [0, 1, 0, 0, 0, -1], position: [7, 0, 0], patientOrientation: null };
  expect(slicePosition(sagittal as never)).toBe(-7);
  expect(slicePosition({ orientation: null, position: null, patientOrientation: null })).toBeNull();
});

test("the technique line takes the top level of the header and leaves out what it does not say", () => {
  const header = [
    element("KVP", "120"),
    element("SliceThickness", "5.0000"),
    element("EchoTime", "85", 1),
    element("Exposure", ""),
  ];
  expect(techniqueText(header)).toBe("120 kV  5 mm");
});

test("the header is searched by tag with and without punctuation, keyword and value", () => {
  const header = [element("KVP", "120"), element("PatientName", "Doe^Jane")];
  expect(matchingElements(header, "kvp")).toHaveLength(1);
  expect(matchingElements(header, "00180060")).toHaveLength(2);
  expect(matchingElements(header, "jane")).toHaveLength(1);
  expect(matchingElements(header, "zzz")).toHaveLength(0);
});

test("sizes, times and people are written short", () => {
  expect(bytesText(0)).toBe("0 bytes");
  expect(bytesText(98_400_000)).toBe("98.4 MB");
  expect(timeText("134501.123")).toBe("13:45");
  expect(personText({ patientSex: "F", patientBirthDate: "19580302" })).toBe("F, born 1958-03-02");
  expect(personText({ patientSex: "", patientBirthDate: "" })).toBe("");
});

test("figures of a card are shown with their interval", () => {
  const figure = { value: 12.3456, interval: [8.1, 16.04] } as never;
  expect(intervalText(figure)).toBe("8.1 to 16");
  const intended = { name: "Limb", modalities: ["CR", "DX"], bodyParts: ["HAND"], views: [] };
  expect(intendedText(intended)).toBe("CR, DX of hand");
});
