import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { LibraryHandle } from "koffi";
import { appError } from "../../../core/errors.ts";
import { onnxRuntimeEnvironment } from "../../../core/onnx-runtime-environment.ts";
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

/** A copy of the library in a folder with provider files, and what has to be loaded before it. */
export interface LibraryPlace {
  readonly library: string;
  readonly preload: readonly string[];
}

let elsewhere: LibraryPlace | null = null;

/**
 * ONNX Runtime looks for providers beside itself: a copy of it in the folder that IT has filled finds them there.
 * @throws provider-not-available where it is loaded already: a process keeps the one that it began with
 */
export function loadFrom(place: LibraryPlace): void {
  if (elsewhere?.library === place.library) return;
  if (loaded.length > 0) {
    throw appError("provider-not-available", "CUDA can be used after the app was started again.");
  }
  elsewhere = place;
}

/**
 * Loads the ONNX Runtime library that the package onnxruntime-node ships and returns its `OrtApiBase`.
 */
export function loadOrtLibrary(): Handle {
  Object.assign(process.env, onnxRuntimeEnvironment(process.arch));
  const { config, load } = koffi();
  config({ sync_stack_size: stackBytes, async_stack_size: stackBytes });
  const library = loadElsewhere() ?? load(ortLibraryPath());
  loaded.push(library);
  const getApiBase = library.func("OrtGetApiBase", "void *", []) as () => Handle;
  return getApiBase();
}

/** Null where there is no such place, or a file in it does not load: then CUDA is missing, and all else runs. */
function loadElsewhere(): LibraryHandle | null {
  if (elsewhere === null) return null;
  const { load } = koffi();
  try {
    for (const file of elsewhere.preload) loaded.push(load(file));
    return load(elsewhere.library);
  } catch {
    return null;
  }
}

const packageFile = () => createRequire(import.meta.url).resolve("onnxruntime-node/package.json");

/** Of the package that carries the library. */
export function ortPackageVersion(): string {
  return (JSON.parse(readFileSync(packageFile(), "utf8")) as { version: string }).version;
}

/**
 * The folder of the library for this platform.
 * @throws provider-not-available where the package has none for it (Intel Macs).
 */
export function ortLibraryPath(): string {
  // Native code cannot be loaded out of Electron's archive file; its files lie beside it.
  const root = path.dirname(packageFile()).replace(`app.asar${path.sep}`, `app.asar.unpacked${path.sep}`);
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
