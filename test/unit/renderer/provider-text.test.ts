import { expect, test } from "vitest";
import { providerTags, providerTime } from "../../../renderer/settings/provider-text.ts";

const status = { name: "directml", status: "works", reason: "", probe_ms: 4.04 } as const;

test("a provider that nobody has seen run is marked, and so is one for images alone", () => {
  expect(providerTags(status)).toEqual(["Works"]);
  expect(providerTags({ ...status, unproven: true })).toEqual(["Works", "Unproven"]);
  expect(providerTags({ ...status, name: "coreml", unproven: true, images_only: true })).toEqual([
    "Works",
    "Unproven",
    "Image encoder only",
  ]);
});

test("the time is the pack's where it was measured, else the self-test's", () => {
  expect(providerTime(status)).toBe("4.0 ms");
  expect(providerTime({ ...status, token_ms: 12 })).toBe("12.0 ms a token");
  expect(providerTime({ ...status, token_ms: null })).toBe("4.0 ms");
  expect(providerTime({ ...status, probe_ms: null })).toBe("");
});
