import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../architecture/sources.ts";

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};

describe("package-lock.json", () => {
  it("holds the packages of every platform, or npm ci refuses it: npm install drops what it cannot see", () => {
    const missing = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.entries(optionalDependencies)
        .filter(
          ([name, version]) => /^\d+\.\d+\.\d+$/.test(version) && found(place, name)?.version !== version,
        )
        .map(([name, version]) => `${place} needs ${name} ${version}`),
    );
    expect(missing).toEqual([]);
  });

  it("names no registry, so that a site's own mirror serves", () => {
    expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });
});

/** As Node finds it: beside the package, or in a folder above. */
function found(place: string, name: string): LockedPackage | undefined {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const there = packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`];
    if (there || folder === "") return there;
  }
}
