import { describe, expect, it } from "vitest";
import { appError } from "../../../core/errors.ts";
import { failureLines } from "../../../core/parent-port.ts";

describe("what a child process says of a failure", () => {
  it("is the procedure, the kind, the code and the place, none of its words", () => {
    const lines = failureLines("readFrame", appError("archive-damaged", "DOE^JANE in /images/doe.dcm")).split(
      "\n",
    );
    expect(lines[0]).toMatch(/^readFrame failed: \w+ archive-damaged$/);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.slice(1, -1).every((line) => /^\s+at /.test(line))).toBe(true);
    expect(lines.join()).not.toContain("DOE");
  });

  it.each([
    [
      "a code that is no word",
      Object.assign(new Error("x"), { code: "DOE^JANE 1970" }),
      "list failed: Error\n",
    ],
    ["a thrown text", "DOE^JANE", "list failed: string\n"],
    ["nothing", undefined, "list failed: undefined\n"],
  ])("%s is left out", (_, cause, expected) => {
    const lines = failureLines("list", cause);
    expect(lines.startsWith(expected)).toBe(true);
    expect(lines).not.toContain("DOE");
  });
});
