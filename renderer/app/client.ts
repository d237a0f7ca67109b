import { type Client, createClient } from "../../core/client.ts";
import { appError } from "../../core/errors.ts";

const bearerKey = "meditron-bearer";

/**
 * The one way from the page to the app. In the desktop window the page comes from `app://` and needs no bearer. On
 * the loopback host the address holds a token, good for one use, that is exchanged for a bearer; it is kept in
 * sessionStorage, so that a reload of this window goes on and no other window gets it.
 * @throws unauthorized where the address was used already and this window has no session.
 */
export async function openClient(): Promise<Client> {
  const base = `${location.protocol}//${location.host}`;
  const bearer = location.protocol === "app:" ? null : await openSession(base);
  return createClient({
    base,
    fetch: (request) => fetch(request),
    authorization: () => bearer && `Bearer ${bearer}`,
  });
}

async function openSession(base: string): Promise<string> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  // The token leaves the address bar and the history before anything else happens.
  if (token) history.replaceState(null, "", location.pathname);
  if (token) {
    const response = await fetch(`${base}/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    }).catch((cause: unknown) => {
      throw appError("process-lost", "The app does not answer. Start it again.", cause);
    });
    const body = (await response.json().catch(() => null)) as { bearer?: string } | null;
    if (response.ok && body?.bearer) {
      sessionStorage.setItem(bearerKey, body.bearer);
      return body.bearer;
    }
  }
  const kept = sessionStorage.getItem(bearerKey);
  if (kept) return kept;
  throw appError(
    "unauthorized",
    "This address was used already, or it has no key. Run `meditron serve --link` for a new one.",
  );
}

/** Forgets a bearer that the host no longer knows (it was started again). */
export function forgetSession(): void {
  sessionStorage.removeItem(bearerKey);
}
