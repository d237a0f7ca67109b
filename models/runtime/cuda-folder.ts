import { createReadStream } from "node:fs";
import { createHash } from "node:crypto";
import { lstat, open, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import { appError } from "../../core/errors.ts";
import { neededLibraries } from "./elf-needed.ts";

/** What a folder with NVIDIA's and ONNX Runtime's files holds. */
export type CudaFolder =
  /** `preload`: libraries by their whole paths, each loaded before ONNX Runtime asks for it by name. */
  | { readonly status: "ready"; readonly library: string; readonly preload: readonly string[] }
  | { readonly status: "missing"; readonly files: readonly string[] };

/** What the system itself gives: the C library and its company, and the driver, which fits the card. */
const fromSystem = /^(?:ld-linux-[\w-]+|lib(?:c|m|dl|rt|pthread|util|stdc\+\+|gcc_s|cuda))\.so(?:\.\d+)*$/;

const provider = "libonnxruntime_providers_cuda.so";
const bridge = "libonnxruntime_providers_shared.so";

/**
 * Looks at a folder that IT has filled: ONNX Runtime's provider files of `version`, a copy of the app's own library,
 * and every library that they need under the name that they ask for. Links are refused, and so are files that others
 * than their owner and root may write: what is loaded from here runs as part of the app.
 * @throws provider-not-available where the folder must not be used
 */
export async function checkCudaFolder(
  folder: string,
  { version, ownLibrary }: { readonly version: string; readonly ownLibrary: string },
): Promise<CudaFolder> {
  if (process.platform !== "linux") throw refused("A folder for CUDA can be named on Linux only.");
  if (!path.isAbsolute(folder)) throw refused("The policy must name the folder for CUDA by its whole path.");
  const library = path.basename(ownLibrary);
  if ((await realpath(folder).catch(() => null)) === null) return { status: "missing", files: [folder] };
  await assertOwn(folder, "folder");
  const names = new Set((await readdir(folder)).filter((name) => /\.so(?:\.\d+)*$/.test(name)));
  for (const name of names) await assertOwn(path.join(folder, name), "file");

  const missing = new Set([library, bridge, provider].filter((name) => !names.has(name)));
  const preload: string[] = [];
  const seen = new Set<string>();
  async function visit(name: string): Promise<void> {
    if (seen.has(name) || fromSystem.test(name)) return;
    seen.add(name);
    if (!names.has(name)) {
      missing.add(name);
      return;
    }
    for (const needed of await neededLibraries(path.join(folder, name))) await visit(needed);
    // Behind what it needs itself; ONNX Runtime loads its own by their paths.
    if (name !== provider && name !== bridge) preload.push(path.join(folder, name));
  }
  if (!missing.has(provider)) await visit(provider);
  // Asked for by name while a graph runs, so nothing says that it needs them.
  for (const name of [...names].filter((one) => /^libcudnn.*\.so\.\d+$/.test(one)).toSorted())
    await visit(name);
  if (missing.size > 0) return { status: "missing", files: [...missing].toSorted() };

  const copy = path.join(folder, library);
  if ((await digestOf(copy)) !== (await digestOf(ownLibrary))) {
    throw refused(`${library} in the folder for CUDA is not the app's own. Copy it from the app again.`);
  }
  if (!(await contains(path.join(folder, provider), version))) {
    throw refused(`${provider} is not of ONNX Runtime ${version}, which this app needs.`);
  }
  return { status: "ready", library: copy, preload };
}

function refused(message: string): Error {
  return appError("provider-not-available", message);
}

async function assertOwn(file: string, kind: "file" | "folder"): Promise<void> {
  const stat = await lstat(file);
  const name = path.basename(file);
  const right = kind === "file" ? stat.isFile() && stat.nlink === 1 : stat.isDirectory();
  if (!right) throw refused(`${name} for CUDA is a link or no ${kind}. Put the ${kind} itself there.`);
  const others = 0o022;
  if ((stat.mode & others) !== 0) throw refused(`${name} for CUDA may be written by others than its owner.`);
  if (stat.uid !== 0 && stat.uid !== process.getuid?.())
    throw refused(`${name} for CUDA belongs to another user.`);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const block of createReadStream(file)) hash.update(block as Uint8Array);
  return hash.digest("hex");
}

/** Whether a text stands in a file, as the version does in what was compiled with it. */
async function contains(file: string, text: string): Promise<boolean> {
  const wanted = Buffer.from(`${text}\0`);
  const handle = await open(file, "r");
  try {
    const block = Buffer.alloc(4 * 1024 * 1024);
    for (let at = 0; ; at += block.length - wanted.length) {
      const { bytesRead } = await handle.read(block, 0, block.length, at);
      if (block.subarray(0, bytesRead).includes(wanted)) return true;
      if (bytesRead < block.length) return false;
    }
  } finally {
    await handle.close();
  }
}
