import { type Client, createClient } from "../../../core/client.ts";
import { type Host, startHost } from "../../e2e/host.ts";

/** A host that is being served, and a client of it as a page has one. */
export interface OpenHost {
  readonly host: Host;
  readonly client: Client;
}

export async function openHost(place: { folder: string; env: NodeJS.ProcessEnv }): Promise<OpenHost> {
  const host = await startHost(place);
  const { origin, hash } = new URL(host.url);
  const token = new URLSearchParams(hash.slice(1)).get("token");
  const session = await fetch(`${origin}/session`, { method: "POST", body: JSON.stringify({ token }) });
  const { bearer } = (await session.json()) as { bearer: string };
  const client = createClient({ base: origin, fetch, authorization: () => `Bearer ${bearer}` });
  return { host, client };
}
