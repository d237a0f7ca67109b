import { isOwnAddress } from "./protocol.ts";

/**
 * What a page may do, for every window and every web contents that is ever made: nothing but talk to the app. The
 * page is our own code, but it shows text from files that nobody has checked.
 */

/** The parts of Electron's `Session` that are used. */
export interface GuardedSession {
  setPermissionRequestHandler(
    handler: (contents: unknown, permission: string, answer: (granted: boolean) => void) => void,
  ): void;
  setPermissionCheckHandler(handler: (contents: unknown, permission: string) => boolean): void;
  setDevicePermissionHandler(handler: () => boolean): void;
  webRequest: {
    onBeforeRequest(
      handler: (details: { url: string }, answer: (response: { cancel: boolean }) => void) => void,
    ): void;
  };
}

/** The parts of Electron's `WebContents` that are used. */
export interface GuardedContents {
  on(
    event: "will-navigate" | "will-redirect" | "will-frame-navigate",
    listener: (event: NavigationEvent) => void,
  ): unknown;
  on(event: "will-attach-webview", listener: (event: { preventDefault(): void }) => void): unknown;
  setWindowOpenHandler(handler: () => { action: "deny" }): void;
  setWebRTCIPHandlingPolicy(policy: "disable_non_proxied_udp"): void;
}

/** The part of Electron's `app.commandLine` that is used. */
export interface CommandLine {
  appendSwitch(name: string, value?: string): void;
}

interface NavigationEvent {
  readonly url: string;
  preventDefault(): void;
}

/** The button that copies an answer needs it; it cannot read what others put on the clipboard. */
const onlyPermission = "clipboard-sanitized-write";

/**
 * Chromium itself is told to be quiet, before it starts: no name is ever looked up, no proxy searched for on the
 * network, nothing fetched in the background. The app has no address to go to.
 */
export function quietChromium(commandLine: CommandLine): void {
  commandLine.appendSwitch("host-resolver-rules", "MAP * ~NOTFOUND");
  commandLine.appendSwitch("no-proxy-server");
  commandLine.appendSwitch("disable-background-networking");
}

export function guardSession(session: GuardedSession): void {
  session.setPermissionRequestHandler((_contents, permission, answer) =>
    answer(permission === onlyPermission),
  );
  session.setPermissionCheckHandler((_contents, permission) => permission === onlyPermission);
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !mayLoad(url) }));
}

export function guardContents(contents: GuardedContents): void {
  const stay = (event: NavigationEvent) => {
    if (!isOwnAddress(event.url)) event.preventDefault();
  };
  contents.on("will-navigate", stay);
  contents.on("will-redirect", stay);
  contents.on("will-frame-navigate", stay);
  contents.on("will-attach-webview", (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
  // A peer connection goes past webRequest and the content security policy.
  contents.setWebRTCIPHandlingPolicy("disable_non_proxied_udp");
}

/** Besides its own files a page loads what it made itself: workers (blob:) and pictures (blob:, data:). */
export function mayLoad(address: string): boolean {
  return (
    isOwnAddress(address) || address.startsWith("blob:app://meditron/") || address.startsWith("data:image/")
  );
}
