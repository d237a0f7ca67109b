import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DicomCheck } from "../../core/archive-events.ts";
import type { Client } from "../../core/client.ts";
import { decodeFrame } from "../../core/frame-codec.ts";
import type { InstanceUid } from "../../core/study.ts";
import type { App } from "../../host/app.ts";
import { frame } from "./child.ts";
import { doors, type OpenDoor } from "./doors.ts";
import { type Fixture, makeFixture, startFixtureApp } from "./fixture-app.ts";

const instance = { sopInstanceUid: "1.2.3" as InstanceUid, frame: 1 };

describe.each(Object.keys(doors))("every kind of procedure over the door %s", (name) => {
  let fixture: Fixture;
  let app: App;
  let open: OpenDoor;
  let client: Client;

  beforeAll(async () => {
    fixture = await makeFixture();
    app = startFixtureApp(fixture);
    open = await doors[name]!(app, fixture.folders.data);
    ({ client } = open);
    await client.call("archive.create", { protection: "key-file" });
  });
  afterAll(async () => {
    await open.close();
    await app.stop();
    await fixture.remove();
  });

  const childFacts = async () => {
    const status = await client.call("archive.status", {});
    if (status.state !== "ready") throw new Error(`the archive is ${status.state}`);
    return { aborted: status.instances, pid: status.bytes };
  };
  const expectOneMoreAbort = (before: number) =>
    vi.waitFor(async () => expect((await childFacts()).aborted).toBe(before + 1), { timeout: 10_000 });

  it("gives a value", async () => {
    const info = await client.call("app.info", {});
    expect(info).toMatchObject({ version: "9.8.7", shell: "host", dataFolder: fixture.folders.data });
  });

  it("streams events in order to the end", async () => {
    const events = await collect(client.stream("files.check", { paths: ["three"] }));
    expect(events.map(({ file }) => file)).toEqual(["file 1", "file 2", "file 3"]);
  });

  it("gives bytes unchanged", async () => {
    expect(decodeFrame(await client.bytes("frames.pixels", instance))).toEqual(frame);
  });

  it.each([0, 1, 1024 * 1024, 2_600_000])("takes an upload of %i bytes in order", async (length) => {
    const body = Uint8Array.from({ length }, (_, index) => (index * 7) % 256);
    const input = { upload: `u-${name.replace(/\W/g, "").toLowerCase()}-${length}`, name: "a/b.dcm" };
    expect(await client.upload("imports.upload", { input, body })).toEqual({ received: length });
    const [done] = await collect(client.stream("imports.finish", { upload: input.upload }));
    const sum = body.reduce((total, octet, index) => (total + octet * (index % 251)) % 1_000_003, 0);
    expect(done).toMatchObject({ imported: length, duplicates: sum, conflicts: 1 });
  });

  it("refuses bad input of every kind without quoting it", async () => {
    const attempts = [
      client.call("studies.series", { studyInstanceUid: "DOE^JANE" as never }),
      collect(client.stream("files.check", { paths: "DOE^JANE" as never })),
      client.bytes("frames.pixels", { ...instance, frame: -7 }),
      client.upload("imports.upload", { input: { upload: "../../x", name: "a" }, body: new Uint8Array(1) }),
    ];
    for (const attempt of attempts) {
      const error = await attempt.then(
        () => null,
        (thrown: Error) => thrown,
      );
      expect(error).toMatchObject({ code: "bad-request" });
      expect(error?.message).not.toMatch(/DOE|-7|\.\./);
    }
  });

  it("refuses names that are no procedures", async () => {
    for (const other of ["nothing.here", "__proto__", "constructor"]) {
      await expect(client.call(other as "app.info", {})).rejects.toMatchObject({ code: "unknown-procedure" });
    }
  });

  it("passes on the events before a named failure, then the failure", async () => {
    const events: DicomCheck[] = [];
    const reading = (async () => {
      for await (const event of client.stream("files.check", { paths: ["break"] })) events.push(event);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "dicom-damaged",
      message: "The file ends too early.",
    });
    expect(events).toHaveLength(1);
  });

  it("tells nothing of a failure that has no name", async () => {
    const error = await client.call("studies.list", { search: "boom" }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: "internal" });
    expect(JSON.stringify(error) + (error as Error).message).not.toMatch(/DOE|secret/);
  });

  it.each(["endless", "silent"])("a signal stops the %s stream in the child process", async (kind) => {
    const { aborted } = await childFacts();
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of client.stream("files.check", { paths: [kind] }, controller.signal)) {
        controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "cancelled" });
    await expectOneMoreAbort(aborted);
  });

  it("a consumer that leaves its loop stops the stream", async () => {
    const { aborted } = await childFacts();
    for await (const _ of client.stream("files.check", { paths: ["endless"] })) break;
    await expectOneMoreAbort(aborted);
  });

  it("a signal stops a call", async () => {
    const { aborted } = await childFacts();
    const controller = new AbortController();
    const calling = client.call("studies.list", { search: "hang" }, controller.signal);
    // The call has reached the child when a later call has been answered by it.
    await childFacts();
    controller.abort();
    await expect(calling).rejects.toMatchObject({ code: "cancelled" });
    // Electron tells nobody about an aborted call that has no body yet: its work ends by itself.
    if (name !== "electron") await expectOneMoreAbort(aborted);
  });

  it("streams.cancel stops a stream by the id of its first line", async () => {
    if (!open.door) {
      // Over the router itself there are no lines: the id stands beside the events.
      const stream = app.router.stream("files.check", { paths: ["silent"] }, new AbortController().signal);
      await stream.events.next();
      expect(await client.call("streams.cancel", { stream: stream.id })).toEqual({ cancelled: true });
      await expect(stream.events.next()).rejects.toMatchObject({ code: "cancelled" });
      return;
    }
    const { aborted } = await childFacts();
    const lines = rawLines(open.door, { kind: "silent" });
    const first = (await lines.next()).value as { stream: string };
    expect(first.stream).toMatch(/^[0-9a-f-]{36}$/);
    expect((await lines.next()).value).toHaveProperty("event");
    expect(await client.call("streams.cancel", { stream: first.stream })).toEqual({ cancelled: true });
    expect((await lines.next()).value).toMatchObject({ error: { code: "cancelled" } });
    await expectOneMoreAbort(aborted);
    expect(await client.call("streams.cancel", { stream: first.stream })).toEqual({ cancelled: false });
  });

  // Over the router itself there are no lines.
  if (name !== "router") {
    // The client tells the app by streams.cancel as well; each of the other ways must do alone.
    it.each(["endless", "silent"])(
      "a body that is let go stops the %s stream, without a word",
      async (kind) => {
        const { aborted } = await childFacts();
        const lines = rawLines(open.door!, { kind });
        await lines.next();
        await lines.next();
        await lines.return(undefined);
        await expectOneMoreAbort(aborted);
      },
    );

    it("the request's own signal stops the stream, without a word", async () => {
      const { aborted } = await childFacts();
      const controller = new AbortController();
      const lines = rawLines(open.door!, { kind: "silent", signal: controller.signal });
      await lines.next();
      await lines.next();
      controller.abort();
      await expectOneMoreAbort(aborted);
      await lines.return(undefined).catch(() => undefined);
    });
  }

  it("a killed child process ends open work with process-lost, and the next call starts another", async () => {
    const { pid } = await childFacts();
    const stream = client.stream("files.check", { paths: ["silent"] });
    await stream.next();
    const calling = client.call("studies.list", { search: "hang" }).catch((thrown: Error) => thrown);
    await childFacts();
    process.kill(pid, "SIGKILL");
    await expect(stream.next()).rejects.toMatchObject({ code: "process-lost" });
    expect(await calling).toMatchObject({ code: "process-lost" });
    const after = await childFacts();
    expect(after.pid).not.toBe(pid);
    expect(await collect(client.stream("files.check", { paths: ["three"] }))).toHaveLength(3);
  });
});

async function collect<Event>(events: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** The lines of a stream as they come over the door; leaving the loop cancels the body and nothing else. */
async function* rawLines(
  door: NonNullable<OpenDoor["door"]>,
  { kind, signal = null }: { kind: string; signal?: AbortSignal | null },
): AsyncGenerator<unknown, void, void> {
  const response = await door.fetch(
    new Request(`${door.base}/api/files.check`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: door.authorization() ?? "" },
      body: JSON.stringify({ paths: [kind] }),
      signal,
    }),
  );
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) if (line !== "") yield JSON.parse(line);
    }
  } finally {
    await reader.cancel();
  }
}
