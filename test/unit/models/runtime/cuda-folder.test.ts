import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkCudaFolder } from "../../../../models/runtime/cuda-folder.ts";
import { neededLibraries } from "../../../../models/runtime/elf-needed.ts";
import { findCuda } from "../../../../models/runtime/find-cuda.ts";
import { ortLibraryPath, ortPackageVersion } from "../../../../models/runtime/ort/library.ts";

const version = "1.30.0";
let root: string;
let folder: string;
let ownLibrary: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "meditron-cuda-"));
  folder = path.join(root, "cuda");
  ownLibrary = path.join(root, "libonnxruntime.so.1");
  await mkdir(folder, { mode: 0o755 });
  await writeFile(ownLibrary, library([]));
  await fill();
});
afterEach(() => rm(root, { recursive: true }));

const files = () => ({
  "libonnxruntime.so.1": library([]),
  "libonnxruntime_providers_shared.so": library(["libc.so.6"]),
  "libonnxruntime_providers_cuda.so": library(
    ["libcublas.so.13", "libcudart.so.13", "libcuda.so.1", "libstdc++.so.6"],
    `x${version}\0`,
  ),
  "libcublas.so.13": library(["libcublasLt.so.13", "libm.so.6"]),
  "libcublasLt.so.13": library(["ld-linux-x86-64.so.2"]),
  "libcudart.so.13": library([]),
});

async function fill(): Promise<void> {
  for (const [name, bytes] of Object.entries(files()))
    await writeFile(path.join(folder, name), bytes, { mode: 0o644 });
}

const check = () => checkCudaFolder(folder, { version, ownLibrary });
const file = (name: string) => path.join(folder, name);

/** An ELF library that asks for others: header, one segment that is the whole file, and its dynamic table. */
function library(needed: readonly string[], tail = ""): Buffer {
  const strings = Buffer.from(`\0${needed.map((name) => `${name}\0`).join("")}`);
  const [header, segments] = [64, 2 * 56];
  const table = header + segments;
  const entries = (needed.length + 3) * 16;
  const all = Buffer.alloc(table + entries + strings.length);
  all.write("\x7fELF", "latin1");
  all[4] = 2;
  all[5] = 1;
  all.writeBigUInt64LE(64n, 32);
  all.writeUInt16LE(56, 54);
  all.writeUInt16LE(2, 56);
  const address = 0x1000;
  const segment = (at: number, type: number, [offset, bytes]: [number, number]) => {
    all.writeUInt32LE(type, at);
    all.writeBigUInt64LE(BigInt(offset), at + 8);
    all.writeBigUInt64LE(BigInt(address + offset), at + 16);
    all.writeBigUInt64LE(BigInt(bytes), at + 32);
  };
  segment(64, 1, [0, all.length]);
  segment(120, 2, [table, entries]);
  const rows: [number, number][] = [];
  let at = 1;
  for (const name of needed) {
    rows.push([1, at]);
    at += name.length + 1;
  }
  rows.push([5, address + table + entries], [10, strings.length], [0, 0]);
  for (const [index, [tag, value]] of rows.entries()) {
    all.writeBigUInt64LE(BigInt(tag), table + 16 * index);
    all.writeBigUInt64LE(BigInt(value), table + 16 * index + 8);
  }
  strings.copy(all, table + entries);
  return Buffer.concat([all, Buffer.from(tail)]);
}

describe.skipIf(process.platform !== "linux")("a folder with the files for CUDA", () => {
  test("is ready with everything in it, each library behind what it needs", async () => {
    const found = await check();
    expect(found).toEqual({
      status: "ready",
      library: file("libonnxruntime.so.1"),
      preload: ["libcublasLt.so.13", "libcublas.so.13", "libcudart.so.13"].map(file),
    });
  });

  test("says which files are missing, those that others need too, but not the driver or the system's", async () => {
    await rm(file("libcublasLt.so.13"));
    await rm(file("libcudart.so.13"));
    expect(await check()).toEqual({ status: "missing", files: ["libcublasLt.so.13", "libcudart.so.13"] });
    await rm(folder, { recursive: true });
    await mkdir(folder);
    expect(await check()).toEqual({
      status: "missing",
      files: [
        "libonnxruntime.so.1",
        "libonnxruntime_providers_cuda.so",
        "libonnxruntime_providers_shared.so",
      ],
    });
    await rm(folder, { recursive: true });
    expect(await check()).toEqual({ status: "missing", files: [folder] });
  });

  test("with cuDNN loads that too, and asks for what it needs", async () => {
    await writeFile(file("libcudnn.so.9"), library(["libcudnn_graph.so.9"]), { mode: 0o644 });
    expect(await check()).toEqual({ status: "missing", files: ["libcudnn_graph.so.9"] });
    await writeFile(file("libcudnn_graph.so.9"), library([]), { mode: 0o644 });
    const found = await check();
    expect(found.status === "ready" && found.preload.slice(-2)).toEqual(
      ["libcudnn_graph.so.9", "libcudnn.so.9"].map(file),
    );
  });

  const hostile: [string, RegExp, () => Promise<void>][] = [
    [
      "a symbolic link",
      /libcudart\.so\.13 for CUDA is a link/,
      async () => {
        await rm(file("libcudart.so.13"));
        await symlink(ownLibrary, file("libcudart.so.13"));
      },
    ],
    [
      "a hard link",
      /libcudart\.so\.13 for CUDA is a link/,
      async () => {
        await rm(file("libcudart.so.13"));
        await link(ownLibrary, file("libcudart.so.13"));
      },
    ],
    [
      "a folder in place of a library",
      /libcudart\.so\.13 for CUDA is a link or no file/,
      async () => {
        await rm(file("libcudart.so.13"));
        await mkdir(file("libcudart.so.13"));
      },
    ],
    [
      "a link in place of the folder",
      /cuda for CUDA is a link/,
      async () => {
        await rm(folder, { recursive: true });
        await mkdir(path.join(root, "elsewhere"));
        await symlink(path.join(root, "elsewhere"), folder);
      },
    ],
    ["a folder that everybody may write", /may be written by others/, () => chmod(folder, 0o777)],
    [
      "a library that a group may write",
      /may be written by others/,
      () => chmod(file("libcublas.so.13"), 0o664),
    ],
    [
      "another library of the runtime",
      /is not the app's own/,
      () => writeFile(file("libonnxruntime.so.1"), library(["libc.so.6"])),
    ],
    [
      "provider files of another version",
      /is not of ONNX Runtime 1\.30\.0/,
      () =>
        writeFile(
          file("libonnxruntime_providers_cuda.so"),
          library(["libcudart.so.13"], "x1.29.0\0 1.30.01\0"),
        ),
    ],
  ];
  test.each(hostile)("with %s is refused by name", async (_, message, change) => {
    await change();
    await expect(check()).rejects.toMatchObject({
      code: "provider-not-available",
      message: expect.stringMatching(message),
    });
  });

  test("is not looked at for someone who has chosen the CPU, and a problem is told, not thrown", async () => {
    const settings = { packFolders: [], threads: 2, stateFolder: null, cudaFolder: "relative/folder" };
    expect(await findCuda({ ...settings, provider: "cpu" })).toBeNull();
    expect(await findCuda({ ...settings, provider: "auto" })).toContain("by its whole path");
    expect(await findCuda({ ...settings, cudaFolder: folder, provider: "auto" })).toContain(
      "is not the app's own",
    );
    await rm(file("libcublas.so.13"));
    expect(await findCuda({ ...settings, cudaFolder: folder, provider: "cuda" })).toBe(
      "Missing in the folder for CUDA: libcublas.so.13.",
    );
  });

  test("what a library asks for is read from the library itself", async () => {
    expect(ortPackageVersion()).toBe(version);
    expect(await neededLibraries(ortLibraryPath())).toContain("libc.so.6");
    for (const bytes of [
      Buffer.from("no library"),
      library(["libx.so"]).subarray(0, 150),
      Buffer.alloc(64, 255),
    ]) {
      await writeFile(file("bad.so"), bytes);
      expect(await neededLibraries(file("bad.so"))).toEqual([]);
    }
  });
});
