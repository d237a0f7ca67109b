import { describe, expect, it } from "vitest";
import { baseConfigs } from "../../../../models/import/base-configs.ts";
import { knownEncoder } from "../../../../models/import/encoders/known-encoders.ts";
import { hfDecoderConfig } from "../../../../models/import/hf-decoder.ts";
import { imageSettings } from "../../../../models/import/image-settings.ts";
import { refuseUnusedTensors } from "../../../../models/import/tensor-use.ts";
import type { TensorInfo, TensorSource } from "../../../../models/import/tensor-source.ts";
import { readMultiMeditron } from "../../../../models/import/whole-models/multi-meditron.ts";

const llama = {
  architectures: ["LlamaForCausalLM"],
  num_hidden_layers: 2,
  hidden_size: 64,
  intermediate_size: 128,
  num_attention_heads: 4,
  vocab_size: 320,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
};

function tensorsOf(...names: string[]): TensorSource {
  const info = (name: string): TensorInfo => ({ name, shape: [320, 64], type: "F32", offset: 0, bytes: 0 });
  return {
    tensors: new Map(names.map((name) => [name, info(name)])),
    readRows: async () => new Float32Array(0),
    close: async () => undefined,
  };
}

describe("a decoder's settings", () => {
  it.each([
    ["an unknown architecture", { architectures: ["MambaForCausalLM"] }],
    ["an unknown activation", { hidden_act: "relu" }],
    ["an unknown rotary scaling", { rope_scaling: { type: "proportional", factor: 4 } }],
    ["heads that the kernel does not take", { head_dim: 20 }],
    ["text that sees what follows", { use_bidirectional_attention: true }],
  ])("are refused for %s", (_, change) => {
    expect(() => hfDecoderConfig({ ...llama, ...change })).toThrow(
      expect.objectContaining({ code: "architecture-not-supported" }),
    );
  });

  it.each([
    ["no architecture", { architectures: [] }],
    ["a number as text", { hidden_size: "64" }],
    ["a negative size", { intermediate_size: -1 }],
    ["heads that do not divide", { num_key_value_heads: 3 }],
    ["an endless model", { num_hidden_layers: 1e9 }],
    ["Llama 3's scaling without its numbers", { rope_scaling: { rope_type: "llama3", factor: 8 } }],
    [
      "YaRN whose ends are the wrong way round",
      { rope_scaling: { type: "yarn", factor: 4, beta_fast: 1, beta_slow: 8 } },
    ],
    ["YaRN with an endless factor", { rope_scaling: { type: "yarn", factor: 1e9 } }],
    ["LongRoPE without its lists", { rope_scaling: { type: "longrope" } }],
    [
      "LongRoPE with a list of another length",
      { rope_scaling: { type: "longrope", short_factor: [1, 2], original_max_position_embeddings: 64 } },
    ],
  ])("are damaged with %s", (_, change) => {
    expect(() => hfDecoderConfig({ ...llama, ...change })).toThrow(
      expect.objectContaining({ code: "model-file-damaged" }),
    );
  });

  it("read rotary positions the old way and the new way alike", () => {
    const old = { rope_theta: 5e5, rope_scaling: { type: "linear", factor: 4 } };
    const now = { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 5e5 } };
    expect(hfDecoderConfig({ ...llama, ...old }).rotary).toEqual(
      hfDecoderConfig({ ...llama, ...now }).rotary,
    );
  });

  it("let YaRN stretch the context, and dynamic scaling end where it begins to change", () => {
    const yarn = { type: "yarn", factor: 4, original_max_position_embeddings: 128 };
    expect(hfDecoderConfig({ ...llama, rope_scaling: yarn }).contextLength).toBe(512);
    const dynamic = hfDecoderConfig({ ...llama, rope_scaling: { type: "dynamic", factor: 4 } });
    expect(dynamic).toMatchObject({ contextLength: 128, rotary: { scaling: { type: "none" } } });
  });

  it("leave LongRoPE the context that its short list is for", () => {
    const short = Array.from({ length: 8 }, () => 1);
    const rope = { type: "longrope", short_factor: short, original_max_position_embeddings: 64 };
    expect(hfDecoderConfig({ ...llama, rope_scaling: rope }).contextLength).toBe(64);
  });
});

describe("image encoders", () => {
  const features = { layer: -1, lastNorm: false, keepClassToken: false };
  it.each([
    ["an unknown type", { model_type: "convnext" }, "architecture-not-supported"],
    [
      "an unknown activation",
      { model_type: "clip_vision_model", hidden_act: "relu" },
      "architecture-not-supported",
    ],
    ["SwiGLU", { model_type: "dinov2", use_swiglu_ffn: true }, "architecture-not-supported"],
    [
      "patches that do not divide",
      { model_type: "clip_vision_model", image_size: 225 },
      "model-file-damaged",
    ],
    ["a size beyond reason", { model_type: "siglip", image_size: 1e7 }, "model-file-damaged"],
  ])("are refused for %s", (_, json, code) => {
    expect(() => knownEncoder(json, features)).toThrow(expect.objectContaining({ code }));
  });
});

describe("image preparation", () => {
  const settings = (json: object) => imageSettings({ json, encoder: "clip", imageSize: 224 });
  it.each([
    ["another filter", { resample: 1 }],
    ["another scale", { rescale_factor: 1 / 127.5 }],
    ["no normalisation", { do_normalize: false }],
    ["tiles", { do_pan_and_scan: true }],
    ["a crop larger than what it is cut from", { size: { shortest_edge: 200 }, crop_size: 224 }],
  ])("is refused for %s", (_, json) => {
    expect(() => settings(json)).toThrow(expect.objectContaining({ code: "architecture-not-supported" }));
  });

  it("is CLIP's own where the checkpoint has no settings", () => {
    expect(imageSettings({ json: null, encoder: "clip_vision_model", imageSize: 336 })).toMatchObject({
      width: 336,
      height: 336,
      resize: "crop",
      short_side: 336,
      interpolation: "bicubic-antialias",
    });
  });
});

describe("MultiMeditron", () => {
  const json = {
    model_type: "multimodal",
    llm_path: "/scratch/models/Llama-3.1-8B-Instruct",
    attachment_token_idx: 3,
    modalities: [{ model_type: "meditron_clip", clip_name: "openai/clip-vit-large-patch14" }],
  };
  const model = async (change: object, ...names: string[]) => ({
    folder: "",
    json: { ...json, ...change },
    tensors: tensorsOf(...names),
    tokenizer: { json: {}, config: {}, stopTokens: [] },
    bases: await baseConfigs(null),
  });

  it("with experts is refused with the reason", async () => {
    const modalities = [{ model_type: "moe_meditron_clip", expert_clip_names: ["a", "b"] }];
    await expect(readMultiMeditron(await model({ modalities }))).rejects.toMatchObject({
      code: "architecture-not-supported",
      message: expect.stringContaining("published MultiMeditron code does not run them") as string,
    });
  });

  it("with a tensor of experts is refused too", async () => {
    const tensors = "modalities.0.experts.0.feature_extractor.embeddings.class_embedding";
    await expect(readMultiMeditron(await model({}, tensors))).rejects.toMatchObject({
      message: expect.stringContaining("Mixture-of-experts") as string,
    });
  });

  it("built on a model that nobody described asks for its settings", async () => {
    await expect(readMultiMeditron(await model({ llm_path: "org/unheard-of" }))).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("--base-config") as string,
    });
  });

  it("finds a known model by the last part of a path and without its variant", async () => {
    const bases = await baseConfigs(null);
    expect(bases.find("/scratch/models/Llama-3.1-8B-Instruct/")).toMatchObject({ hidden_size: 4096 });
    expect(bases.find("swiss-ai/Apertus-8B-Instruct-2509")).toMatchObject({ intermediate_size: 21_504 });
  });
});

it("a tensor that nothing used is named", () => {
  const tensors = tensorsOf(
    "model.norm.weight",
    "model.layers.0.self_attn.rotary_emb.inv_freq",
    "model.extra",
  );
  expect(() => refuseUnusedTensors(tensors, new Set(["model.norm.weight"]), [])).toThrow(/model\.extra/);
  expect(() => refuseUnusedTensors(tensors, new Set(["model.norm.weight", "model.extra"]), [])).not.toThrow();
});
