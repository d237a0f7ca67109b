import type { Client } from "../../core/client.ts";
import type { Output } from "./output.ts";

/** Which version this is and where it keeps what, as Help shows it. Needs no archive and no key. */
export async function printVersion(client: Client, output: Output): Promise<void> {
  const { version, dataFolder, logFolder, keyLocation, packFolders } = await client.call("app.info", {});
  const places = { dataFolder, logFolder, keyLocation, packFolders };
  const lines = [
    `meditron ${version}`,
    `data   ${dataFolder}`,
    `log    ${logFolder}`,
    `key    ${keyLocation || "none yet: there is no archive"}`,
    ...packFolders.map((folder, index) => `${index === 0 ? "packs" : "     "}  ${folder}`),
  ];
  output.result({ name: "meditron", version, ...places }, lines.join("\n"));
}
