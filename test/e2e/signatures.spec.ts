import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Page } from "@playwright/test";
import { writeKnownAnswerPack } from "../fixtures/known-answer/write-known-answer-pack.ts";
import { expect, makeArchive, test } from "./app-test.ts";
import { runCli } from "./host.ts";
import { violations } from "./violations.ts";

test.use({ data: "new" });

/** Packs that were signed, changed since, never signed and cut off, and the policy of a site that names one key. */
async function makePacks(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const packs = path.join(env["MEDITRON_DATA"]!, "packs");
  await mkdir(packs, { recursive: true });
  const pack = { patches: [], calibration: null };
  for (const name of ["changed", "signed", "unsigned"])
    await writeKnownAnswerPack(packs, "blind", { name, ...pack });
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = path.join(folder, "site.pem");
  await writeFile(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(path.join(folder, "site.pub"), publicKey.export({ type: "spki", format: "pem" }));
  for (const name of ["changed", "signed"]) {
    await runCli(["models", "sign", path.join(packs, name), "--key", key, "--json"], env);
  }
  await writeFile(path.join(packs, "changed", "pack.json"), " ", { flag: "a" });
  await mkdir(path.join(packs, "cut-off"));
  await writeFile(path.join(packs, "cut-off", "pack.json"), "{");
}

async function openModels(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Models", exact: true }).click();
  await expect(page.getByRole("progressbar")).toHaveCount(0, { timeout: 90_000 });
}

const entry = (page: Page, name: string) =>
  page.getByRole("navigation", { name: "Model packs" }).getByRole("button").filter({ hasText: name });

test("the models screen says who signed each pack, and what can be done about a refused one", async ({
  app,
}, testInfo) => {
  const { page } = app;
  await makeArchive(page);
  await app.whileClosed(async () => {
    await makePacks(app.folder, app.env);
    const policy = { packs: { unsigned: "refuse", keys: ["site.pub"] } };
    await writeFile(app.env["MEDITRON_POLICY"]!, JSON.stringify(policy));
  });
  const again = app.page;
  await openModels(again);
  await entry(again, "signed").filter({ hasNotText: "unsigned" }).click();
  const signature = again.getByRole("region", { name: "Signature" });
  await expect(signature).toContainText("Signed by");
  await expect(signature).toContainText(/[0-9a-f]{64}/);
  await expect(again.getByRole("button", { name: "Answer with this pack" })).toBeVisible();

  await entry(again, "unsigned").click();
  await expect(signature).toContainText("nobody");
  await expect(signature).toContainText("meditron models sign unsigned");
  // A refused pack cannot be chosen.
  await expect(again.getByRole("button", { name: "Answer with this pack" })).toHaveCount(0);
  await expect(entry(again, "changed")).toContainText("Refused");

  const refused = again.getByRole("region", { name: "Refused packs" });
  await expect(refused.getByRole("listitem")).toHaveCount(3);
  await expect(refused.getByRole("listitem").filter({ hasText: "cut-off" })).toContainText("not JSON");
  for (const theme of ["Light", "Dark"]) {
    await again.getByRole("button", { name: `${theme} theme` }).click();
    await expect(again.locator("html")).toHaveAttribute("data-theme", theme.toLowerCase());
    expect(await violations(again)).toEqual([]);
    await again.screenshot({ path: testInfo.outputPath(`${theme}.png`), fullPage: true });
  }
});

test("without a policy every pack is used, and whose signature it is was not checked", async ({ app }) => {
  const { page } = app;
  await makeArchive(page);
  await app.whileClosed(() => makePacks(app.folder, app.env));
  await openModels(app.page);
  await entry(app.page, "changed").click();
  await expect(app.page.getByRole("region", { name: "Signature" })).toContainText("was not checked");
  await expect(app.page.getByRole("button", { name: "Answer with this pack" })).toBeVisible();
  await expect(app.page.getByRole("region", { name: "Refused packs" }).getByRole("listitem")).toHaveCount(1);
});
