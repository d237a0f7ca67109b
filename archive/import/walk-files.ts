import { opendir, stat } from "node:fs/promises";
import path from "node:path";
import { AppError, appError, throwIfAborted } from "../../core/errors.ts";
import { openFileSource } from "../file-source.ts";
import { type Candidate, lastName } from "./candidate.ts";
import { isDirectoryName, normalised, readDirectory } from "./dicomdir.ts";

/** Folders within folders beyond this are not entered: no medium has them, loops through mounts do. */
const deepest = 64;

/**
 * The files of paths: folders with all that is in them. Links inside folders are not followed: they may lead round
 * in circles or out of what the user chose.
 * @throws file-not-found
 */
export async function* walkFiles(
  paths: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Candidate, void, void> {
  for (const start of paths) {
    const facts = await stat(start).catch((thrown: unknown) => {
      throw appError("file-not-found", `${lastName(start)} was not found.`, thrown);
    });
    if (facts.isDirectory()) yield* walkFolder(path.resolve(start), { depth: 0, signal });
    else if (isDirectoryName(path.basename(start))) yield* walkMedium(path.resolve(start), signal);
    else yield fileCandidate(path.resolve(start));
  }
}

/** The DICOMDIR and what it names; all of its folder where it is damaged or names nothing. */
async function* walkMedium(file: string, signal: AbortSignal): AsyncGenerator<Candidate, void, void> {
  const folder = path.dirname(file);
  const named = await namedFiles(file, signal);
  yield fileCandidate(file);
  for await (const candidate of walkFolder(folder, { depth: 0, signal })) {
    if (candidate.path === file) continue;
    if (named.size === 0 || named.has(normalised(path.relative(folder, candidate.path)))) yield candidate;
  }
}

async function namedFiles(file: string, signal: AbortSignal): Promise<Set<string>> {
  try {
    const source = await openFileSource(file);
    try {
      return new Set((await readDirectory(source, signal)).files);
    } finally {
      await source.close();
    }
  } catch (thrown) {
    // The import itself says what is wrong with it.
    if (thrown instanceof AppError && thrown.code !== "cancelled") return new Set();
    throw thrown;
  }
}

async function* walkFolder(
  folder: string,
  state: { depth: number; signal: AbortSignal },
): AsyncGenerator<Candidate, void, void> {
  if (state.depth > deepest) return;
  const entries = [];
  try {
    for await (const entry of await opendir(folder)) entries.push(entry);
  } catch {
    yield unreadableFolder(folder);
  }
  // By name: the order of a directory differs from disk to disk, and reports should not.
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    throwIfAborted(state.signal);
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* walkFolder(inside, { ...state, depth: state.depth + 1 });
    else if (entry.isFile()) yield fileCandidate(inside);
  }
}

function fileCandidate(file: string): Candidate {
  return {
    name: path.basename(file),
    path: file,
    async open() {
      const source = await openFileSource(file);
      return { source, close: source.close };
    },
  };
}

/** Counts as one failure instead of going unnoticed. */
function unreadableFolder(folder: string): Candidate {
  const name = path.basename(folder);
  return {
    name,
    path: folder,
    open: async () => {
      throw appError("bad-input", `The folder ${name} cannot be read. Check its permissions.`);
    },
  };
}
