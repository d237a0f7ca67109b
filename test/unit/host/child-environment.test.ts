import { afterEach, describe, expect, it, vi } from "vitest";
import { childEnvironment } from "../../../host/children.ts";

afterEach(() => vi.unstubAllEnvs());

describe("the environment of a child process", () => {
  it("holds what a process needs and nothing that a shell exported for others", () => {
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    vi.stubEnv("NODE_OPTIONS", "--require /tmp/other.js");
    vi.stubEnv("HTTPS_PROXY", "http://proxy.example");
    vi.stubEnv("MEDITRON_DATA", "/somewhere");
    const given = childEnvironment();
    expect(given).toMatchObject({ PATH: process.env["PATH"], MEDITRON_DATA: "/somewhere" });
    expect(Object.keys(given)).not.toEqual(expect.arrayContaining(["NODE_OPTIONS"]));
    expect(Object.values(given).join(" ")).not.toMatch(/secret|other\.js|proxy/);
  });

  it("keeps the model runtime from sending usage figures, whatever the user's own says", () => {
    vi.stubEnv("ORT_DISABLE_TELEMETRY", "0");
    expect(childEnvironment()["ORT_DISABLE_TELEMETRY"]).toBe("1");
  });
});
