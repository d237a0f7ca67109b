import { describe, expect, it } from "vitest";
import {
  guardContents,
  guardSession,
  type GuardedContents,
  type GuardedSession,
} from "../../../electron/guard.ts";

function guardedSession() {
  const given: {
    request?: Parameters<GuardedSession["setPermissionRequestHandler"]>[0];
    check?: Parameters<GuardedSession["setPermissionCheckHandler"]>[0];
    device?: () => boolean;
    load?: Parameters<GuardedSession["webRequest"]["onBeforeRequest"]>[0];
  } = {};
  guardSession({
    setPermissionRequestHandler: (handler) => void (given.request = handler),
    setPermissionCheckHandler: (handler) => void (given.check = handler),
    setDevicePermissionHandler: (handler) => void (given.device = handler),
    webRequest: { onBeforeRequest: (handler) => void (given.load = handler) },
  });
  return {
    grants(permission: string): boolean {
      let granted = false;
      given.request!(null, permission, (answer) => (granted = answer));
      return granted || given.check!(null, permission);
    },
    grantsDevice: () => given.device!(),
    loads(url: string): boolean {
      let cancelled = false;
      given.load!({ url }, ({ cancel }) => (cancelled = cancel));
      return !cancelled;
    },
  };
}

function guardedContents() {
  const listeners = new Map<string, (event: { url: string; preventDefault(): void }) => void>();
  let open: (() => { action: string }) | undefined;
  let policy = "default";
  guardContents({
    on: (event: string, listener: never) => listeners.set(event, listener),
    setWindowOpenHandler: (handler: () => { action: string }) => void (open = handler),
    setWebRTCIPHandlingPolicy: (given: string) => void (policy = given),
  } as unknown as GuardedContents);
  return {
    stays(event: string, url: string): boolean {
      let prevented = false;
      listeners.get(event)!({ url, preventDefault: () => (prevented = true) });
      return prevented;
    },
    opens: () => open!().action,
    webRtc: () => policy,
  };
}

describe("a page in the desktop window", () => {
  it.each([
    "media",
    "geolocation",
    "notifications",
    "midi",
    "clipboard-read",
    "fullscreen",
    "openExternal",
    "fileSystem",
    "hid",
    "usb",
  ])("is refused the permission %s", (permission) => expect(guardedSession().grants(permission)).toBe(false));

  it("may put text on the clipboard, and sees no device", () => {
    expect(guardedSession().grants("clipboard-sanitized-write")).toBe(true);
    expect(guardedSession().grantsDevice()).toBe(false);
  });

  it.each([
    "https://example.org/",
    "http://127.0.0.1:8080/",
    "file:///etc/passwd",
    "ws://example.org/",
    "app://other/",
    "app://meditron.evil/",
    "app://meditronevil/",
    "app://user@meditron/",
    "blob:https://example.org/1",
    "data:text/html,<script>1</script>",
    "devtools://devtools/",
    "",
  ])("loads nothing from %s", (url) => expect(guardedSession().loads(url)).toBe(false));

  it.each([
    "app://meditron/",
    "app://meditron/assets/a.js",
    "app://meditron/api/app.info",
    "blob:app://meditron/1-2",
    "data:image/png;base64,AA",
  ])("loads its own %s", (url) => expect(guardedSession().loads(url)).toBe(true));

  it.each(["will-navigate", "will-redirect", "will-frame-navigate"])(
    "cannot leave the app by %s",
    (event) => {
      expect(guardedContents().stays(event, "https://example.org/")).toBe(true);
      expect(guardedContents().stays(event, "app://meditron.evil/")).toBe(true);
      expect(guardedContents().stays(event, "app://meditron/")).toBe(false);
    },
  );

  it("makes no peer connection that goes past the guard", () => {
    expect(guardedContents().webRtc()).toBe("disable_non_proxied_udp");
  });

  it("opens no window and attaches no webview", () => {
    expect(guardedContents().opens()).toBe("deny");
    expect(guardedContents().stays("will-attach-webview", "app://meditron/")).toBe(true);
  });
});
