// The licences of what was bundled: their texts have to go where the code goes.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The folders of the packages that these modules (absolute paths) belong to. */
export function packageFolders(modules) {
  const folders = modules.flatMap((id) => {
    const parts = id.split(path.sep);
    const place = parts.lastIndexOf("node_modules");
    if (place === -1) return [];
    return [parts.slice(0, place + (parts[place + 1].startsWith("@") ? 3 : 2)).join(path.sep)];
  });
  return [...new Set(folders)].toSorted();
}

/** One text: name, version and licence of each package. @throws where a package has no licence to show */
export function licenseTexts(folders) {
  return folders.map(licenseText).join("\n\n");
}

function licenseText(folder) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^(un)?licen[cs]e/i.test(entry));
  if (!license && !file) throw new Error(`${name} has no licence`);
  const text = file ? readFileSync(path.join(folder, file), "utf8") : "";
  return `## ${name} ${version} (${license})\n\n${text.trim()}`.trim();
}
