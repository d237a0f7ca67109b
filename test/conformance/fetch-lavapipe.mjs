// Puts Mesa's software Vulkan driver (lavapipe) of Debian's backports into a cache folder, for the WebGPU tests.
// Nothing is installed: packages are downloaded by apt from the archive that this machine is set to, and unpacked.
// Usage: npm run -s fetch:lavapipe
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { lavapipeFolder } from "./lavapipe-folder.mjs";

const run = promisify(execFile);
const driver = "mesa-vulkan-drivers";

/** Comes with Debian: whose signature counts for its archive. */
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The Debian archive that apt is set to: where it lies and its code name. */
async function archive() {
  const format = "$(REPO_URI) $(CODENAME)";
  const targets = ["Created-By: Packages", "Origin: Debian", "Component: main"];
  const { stdout } = await run("apt-get", ["indextargets", "--format", format, ...targets]);
  // Beside it there are its updates ("bookworm-updates").
  const line = stdout.split("\n").find((one) => /^\S+ [a-z]+$/.test(one));
  if (line === undefined) throw new Error("apt on this machine is set to no Debian archive.");
  const [uri, codeName] = line.split(" ");
  return { uri, codeName };
}

/** Options by which apt works in a folder of its own, with the machine's own trust and list of installed packages. */
async function aptIn(folder, { uri, codeName }) {
  for (const name of ["lists/partial", "cache/archives/partial"]) {
    await mkdir(path.join(folder, name), { recursive: true });
  }
  const sources = path.join(folder, "debian.sources");
  const suites = `${codeName} ${codeName}-backports`;
  const text = `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main\nSigned-By: ${keyring}\n`;
  await writeFile(sources, text);
  return [
    `Dir::Etc::sourcelist=${sources}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${path.join(folder, "lists")}`,
    `Dir::Cache=${path.join(folder, "cache")}`,
    "Debug::NoLocking=1",
  ].flatMap((option) => ["-o", option]);
}

/** The driver and what it needs that this machine has not, as "name=version". */
async function missingPackages(options, codeName) {
  const wanted = ["--simulate", "install", "--no-install-recommends", "-t", `${codeName}-backports`, driver];
  const { stdout } = await run("apt-get", [...options, ...wanted]);
  return [...stdout.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+)/gm)].map(
    ([, name, version]) => `${name}=${version}`,
  );
}

/** Every folder below `root` that holds shared libraries. */
async function libraryFolders(root) {
  const found = new Set();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (/\.so(?:\.|$)/.test(entry.name)) found.add(entry.parentPath ?? entry.path);
  }
  return [...found];
}

const work = await mkdtemp(path.join(tmpdir(), "lavapipe-"));
try {
  const from = await archive();
  const options = await aptIn(work, from);
  await run("apt-get", [...options, "update"]);
  const packages = await missingPackages(options, from.codeName);
  if (!packages.some((one) => one.startsWith(`${driver}=`))) {
    throw new Error(`${driver} of ${from.codeName}-backports is installed already, or is not to be had.`);
  }
  console.error(`downloading ${packages.join(" ")}`);
  const debs = path.join(work, "debs");
  const root = path.join(work, "root");
  await mkdir(debs);
  await mkdir(root);
  await run("apt-get", [...options, "download", ...packages], { cwd: debs });
  for (const deb of await readdir(debs)) await run("dpkg-deb", ["-x", path.join(debs, deb), root]);

  const target = lavapipeFolder();
  const moved = (file) => path.join(target, "root", path.relative(root, file));
  const libraries = await libraryFolders(root);
  const icds = path.join(root, "usr", "share", "vulkan", "icd.d");
  const [manifest] = (await readdir(icds)).filter((name) => name.startsWith("lvp_icd"));
  const icd = JSON.parse(await readFile(path.join(icds, manifest), "utf8"));
  const library = path.basename(icd.ICD.library_path);
  const [folder] = (
    await Promise.all(libraries.map(async (one) => ((await readdir(one)).includes(library) ? one : null)))
  ).filter((one) => one !== null);
  icd.ICD.library_path = path.join(moved(folder), library);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  // A temporary folder may be on another file system.
  await rename(root, path.join(target, "root")).catch(() =>
    run("cp", ["-a", root, path.join(target, "root")]),
  );
  await writeFile(path.join(target, "icd.json"), JSON.stringify(icd));
  // The last file: where it is there, the folder is whole.
  const description = { packages, icd: path.join(target, "icd.json"), libraries: libraries.map(moved) };
  await writeFile(path.join(target, "lavapipe.json"), JSON.stringify(description, null, 2));
  console.log(target);
} finally {
  await rm(work, { recursive: true, force: true });
}
