// How the window of `npm start` is opened where it is a browser of the Chromium family.

/** Chromium's own services ask for names and addresses of their makers; the app needs this machine alone. */
export const loopbackOnly = [
  // No name is looked up, and no address but the host's own is taken.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  // A proxy would be asked instead.
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-domain-reliability",
  "--disable-client-side-phishing-detection",
  "--disable-breakpad",
  "--disable-quic",
  "--dns-prefetch-disable",
  "--no-pings",
  "--metrics-recording-only",
  "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
  "--disable-features=AsyncDns,AutofillServerCommunication,CertificateTransparencyComponentUpdater," +
    "DialMediaRouteProvider,DnsOverHttps,InterestFeedContentSuggestions,MediaRouter,NetworkTimeServiceQuerying," +
    "OptimizationHints,Translate",
];

/** The arguments of the browser: a window of its own on `url`, with a profile that is removed afterwards. */
export function windowOptions({ url, profile, asRoot }) {
  return [
    `--app=${url}`,
    `--user-data-dir=${profile}`,
    "--no-first-run",
    "--no-default-browser-check",
    "--window-size=1440,900",
    ...loopbackOnly,
    // Chromium's sandbox does not start for root; that is a test machine then.
    ...(asRoot ? ["--no-sandbox"] : []),
  ];
}
