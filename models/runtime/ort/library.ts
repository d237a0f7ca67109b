import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { LibraryHandle } from "koffi";
import { appError } from "../../../core/errors.ts";
import { koffi } from "./koffi.ts";

/** An opaque native object. */
export type Handle = bigint;

/**
 * koffi unloads a library when its object is collected, and the next call then runs into freed memory. Everything
 * that was ever loaded stays referenced here.
 */
const loaded: LibraryHandle[] = [];

const fileNames: Readonly<Record<string, string>> = {
  linux: "libonnxruntime.so.1",
  win32: "onnxruntime.dll",
  darwin: "libonnxruntime.1.dylib",
};

/**
 * koffi calls on stacks of its own; for calls on worker threads its default is 128 KiB, which a graphics driver's
 * compiler overruns (seen as a segmentation fault). Memory is used only as far as a stack is.
 */
const stackBytes = 8 * 1024 * 1024;

/**
 * Loads the ONNX Runtime library that the package onnxruntime-node ships and returns its `OrtApiBase`.
 *
 * The published libraries for Linux and macOS send usage figures to their maker from the moment an environment is
 * made, and keep a device id in the user's cache folder; `DisableTelemetryEvents` comes too late. This variable, set
 * before the library is loaded, keeps all of it from starting.
 */
export function loadOrtLibrary(): Handle {
  process.env["ORT_DISABLE_TELEMETRY"] = "1";
  const { config, load } = koffi();
  config({ sync_stack_size: stackBytes, async_stack_size: stackBytes });
  const library = load(ortLibraryPath());
  loaded.push(library);
  const getApiBase = library.func("OrtGetApiBase", "void *", []) as () => Handle;
  return getApiBase();
}

/**
 * The folder of the library for this platform.
 * @throws provider-not-available where the package has none for it (Intel Macs).
 */
export function ortLibraryPath(): string {
  const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  // Native code cannot be loaded out of Electron's archive file; its files lie beside it.
  const root = path.dirname(manifest).replace(`app.asar${path.sep}`, `app.asar.unpacked${path.sep}`);
  const name = fileNames[process.platform];
  const file =
    name === undefined ? null : path.join(root, "bin", "napi-v6", process.platform, process.arch, name);
  if (file === null || !existsSync(file)) {
    throw appError(
      "provider-not-available",
      `The model runtime is not made for this kind of machine (${process.platform} ${process.arch}).`,
    );
  }
  return file;
}
