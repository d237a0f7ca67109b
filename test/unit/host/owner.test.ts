import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findOwner, type Owner, takeDataFolder } from "../../../host/owner.ts";

let folder: string;
const owners: Owner[] = [];
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "meditron-unit-"));
});
afterEach(async () => {
  for (const owner of owners.splice(0)) await owner.release();
  await rm(folder, { recursive: true, force: true });
});

async function take(answer = "mine"): Promise<Owner> {
  const owner = await takeDataFolder(folder, () => Promise.resolve(new Response(answer)));
  owners.push(owner);
  return owner;
}

const record = async () =>
  JSON.parse(await readFile(path.join(folder, "owner.json"), "utf8")) as { socket: string; secret: string };

describe("the owner of a data folder", () => {
  it("is one: a second taker is refused while the first lives", async () => {
    await take();
    await expect(take()).rejects.toMatchObject({ code: "archive-in-use" });
  });

  it("of ten takers at once exactly one succeeds", async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => take()));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "archive-in-use" });
    }
  });

  it("gives the folder free when it is done", async () => {
    const first = await take();
    expect(await findOwner(folder)).not.toBeNull();
    await first.release();
    expect(await findOwner(folder)).toBeNull();
    await take();
  });

  it.each(["", "{}", "not json", JSON.stringify({ pid: 1, socket: "/nowhere/socket", secret: "s" })])(
    "takes the place of a dead one whose record is %j",
    async (text) => {
      await writeFile(path.join(folder, "owner.json"), text);
      await take();
      expect(await findOwner(folder)).not.toBeNull();
    },
  );

  it("answers other programs of this user, and nobody without the secret", async () => {
    await take("hello");
    const door = (await findOwner(folder))!;
    const ask = (authorization: string) =>
      door.fetch(new Request(`${door.base}/`, { headers: { authorization } }));
    expect(await (await ask(door.authorization()!)).text()).toBe("hello");
    expect((await ask("Bearer wrong")).status).toBe(401);
  });

  it.skipIf(process.platform === "win32")("keeps record and socket from other users", async () => {
    await take();
    expect((await stat(path.join(folder, "owner.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname((await record()).socket))).mode & 0o777).toBe(0o700);
  });
});
