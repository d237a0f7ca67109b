import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer } from "../../../../core/question.ts";
import { fixtures, temporaryFolder } from "./imported-language.ts";

const cli = fileURLToPath(new URL("../../../../dist/host/cli.js", import.meta.url));

describe.skipIf(!existsSync(cli))("a MultiMeditron checkpoint", { timeout: 240_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let source: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    source = path.join(folder.path, "checkpoint");
    await cp(path.join(fixtures, "whole-models/multi-meditron"), source, { recursive: true });
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      await copyFile(path.join(fixtures, "tiny-llama", file), path.join(source, file));
    }
    const { image } = JSON.parse(await readFile(path.join(source, "expected.json"), "utf8")) as {
      image: { width: number; height: number; rgb: string };
    };
    const { width, height, rgb } = image;
    const data = new Uint8Array(Buffer.from(rgb, "base64"));
    await writeFile(
      path.join(folder.path, "image.png"),
      encode({ width, height, data, channels: 3, depth: 8 }),
    );
  });
  afterAll(() => folder.remove());

  const run = async (...words: string[]): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [cli, ...words, "--data-folder", path.join(folder.path, "data"), "--json"],
      { env: { ...process.env, MEDITRON_PACK_FOLDERS: path.join(folder.path, "data/packs") } },
    );
    return JSON.parse(stdout);
  };

  it("needs the settings of the models that it only names", async () => {
    await expect(run("models", "import", source, "--name", "tiny")).rejects.toMatchObject({ code: 3 });
    expect(existsSync(path.join(folder.path, "data/packs/tiny"))).toBe(false);
  });

  it("becomes a pack that answers a question about an image, uncalibrated", async () => {
    const bases = path.join(source, "base-configs.json");
    const { pack } = (await run("models", "import", source, "--name", "tiny", "--base-config", bases)) as {
      pack: object;
    };
    expect(pack).toMatchObject({
      name: "tiny",
      calibrated: false,
      architecture: "MultiMeditron (LlamaForCausalLM)",
    });
    const image = path.join(folder.path, "image.png");
    const question = ["--question", "Which side is marked?", "--choices", "left,right", "--pack", "tiny"];
    const answer = (await run("ask", image, ...question, "--ground-budget", "600")) as Answer;
    expect(answer.pack.name).toBe("tiny");
    expect(answer.scope.status).toBe("not-assessed");
    expect(answer.tokens.image).toBe(16);
    expect(answer.answer.sentences.map(({ state }) => state)).toEqual(["uncalibrated"]);
    expect(answer.answer.sentences[0]?.reliance?.calibrated).toBeNull();
  });

  it("with 16-bit weights gives the same answer on the processor as with 8 bits; other choices are refused by name", async () => {
    const bases = path.join(source, "base-configs.json");
    const image = path.join(folder.path, "image.png");
    const answers: (string | undefined)[] = [];
    for (const weights of ["16bit", "8bit"]) {
      const names = ["--name", `of-${weights}`, "--weights", weights];
      await run("models", "import", source, ...names, "--base-config", bases);
      const question = ["--question", "Which side is marked?", "--choices", "left,right"];
      const pack = ["--pack", `of-${weights}`, "--no-ground"];
      answers.push(((await run("ask", image, ...question, ...pack)) as Answer).answer.text);
    }
    expect(answers[0]).toBe(answers[1]);
    await expect(
      run("models", "import", source, "--name", "no", "--weights", "12bit", "--base-config", bases),
    ).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("8bit or 16bit") });
    const both = ["--weights", "16bit", "--kv-cache", "int8"];
    await expect(
      run("models", "import", source, "--name", "no", ...both, "--base-config", bases),
    ).rejects.toMatchObject({ code: 4 });
    expect(existsSync(path.join(folder.path, "data/packs/no"))).toBe(false);
  });
});
