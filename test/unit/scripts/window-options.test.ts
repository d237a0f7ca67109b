import { describe, expect, it } from "vitest";
import { windowOptions } from "../../../scripts/window-options.mjs";

const options = windowOptions({ url: "http://127.0.0.1:4711/?key=1", profile: "/tmp/p", asRoot: false });

describe("the window of npm start in a browser", () => {
  it("opens the address in a window and a profile of its own", () => {
    expect(options).toContain("--app=http://127.0.0.1:4711/?key=1");
    expect(options).toContain("--user-data-dir=/tmp/p");
    expect(options).not.toContain("--no-sandbox");
    expect(windowOptions({ url: "", profile: "", asRoot: true })).toContain("--no-sandbox");
  });

  it("looks up no name, asks no proxy, and reaches 127.0.0.1 alone", () => {
    expect(options).toContain("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");
    expect(options).toContain("--no-proxy-server");
    expect(options).toContain("--force-webrtc-ip-handling-policy=disable_non_proxied_udp");
  });

  it.each(["background-networking", "component-update", "sync", "domain-reliability", "breakpad", "quic"])(
    "leaves Chromium's own %s off",
    (service) => expect(options).toContain(`--disable-${service}`),
  );

  it("switches features off in one list: of two, Chromium would take the last", () => {
    const lists = options.filter((option) => option.startsWith("--disable-features="));
    expect(lists).toHaveLength(1);
    expect(lists[0]).toMatch(/MediaRouter/);
    expect(lists[0]).toMatch(/DnsOverHttps/);
  });
});
