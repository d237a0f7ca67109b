"""The language model in torch: the shipped GGUF weights dequantised, with LoRA.

The forward pass is the Llama architecture in HF's layout (rotate-half RoPE). GGUF stores q and k with
their rows interleaved per head; they are turned back on loading, so that the adapter stands in HF's
head order.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn

LINEARS = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip
IMAGE_TOKEN = "<|image|>"
END = "<|im_end|>"


class LoraLinear(nn.Module):
    def __init__(self, weight: torch.Tensor, rank: int):
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.lora_A = nn.Parameter(torch.randn(weight.shape[1], rank) / math.sqrt(weight.shape[1]))
        self.lora_B = nn.Parameter(torch.zeros(rank, weight.shape[0]))

    def forward(self, x):
        return F.linear(x, self.weight) + (x @ self.lora_A) @ self.lora_B


class Layer(nn.Module):
    def __init__(self, weights: dict[str, torch.Tensor], rank: int):
        super().__init__()
        for name in LINEARS:
            setattr(self, name, LoraLinear(weights[name], rank))
        self.register_buffer("attn_norm", weights["attn_norm"], persistent=False)
        self.register_buffer("ffn_norm", weights["ffn_norm"], persistent=False)


class LanguageModel(nn.Module):
    def __init__(self, path: Path | str, rank: int = 8):
        super().__init__()
        reader = gguf.GGUFReader(str(path))
        tensors = {t.name: t for t in reader.tensors}

        def field(name):
            return reader.fields[name].contents()

        def load(name):
            tensor = tensors[name]
            return torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32))

        self.heads, self.kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
        self.theta = field("llama.rope.freq_base")
        self.eps = field("llama.attention.layer_norm_rms_epsilon")
        self.register_buffer("embedding", load("token_embd.weight"), persistent=False)
        self.head_dim = self.embedding.shape[1] // self.heads
        self.register_buffer("norm", load("output_norm.weight"), persistent=False)
        self.layers = nn.ModuleList()
        for i in range(field("llama.block_count")):
            weights = {name: load(f"blk.{i}.{key}.weight") for name, key in LINEARS.items()}
            weights["q_proj"] = deinterleave(weights["q_proj"], self.heads)
            weights["k_proj"] = deinterleave(weights["k_proj"], self.kv_heads)
            weights |= {name: load(f"blk.{i}.{name}.weight") for name in ("attn_norm", "ffn_norm")}
            self.layers.append(Layer(weights, rank))

    def rotation(self, positions):
        """positions [b, s] -> cos, sin [b, 1, s, head_dim]"""
        frequency = self.theta ** (-torch.arange(0, self.head_dim, 2, dtype=torch.float32) / self.head_dim)
        angle = positions[:, None, :, None].float() * torch.cat([frequency, frequency])
        return angle.cos(), angle.sin()

    def forward(self, x, positions, mask):
        """x [b, s, hidden], positions [b, s], mask bool [b, 1, s, s] -> hidden states after the last norm"""
        cos, sin = self.rotation(positions)
        for layer in self.layers:
            x = x + self.attend(layer, self.rms(x, layer.attn_norm), (cos, sin, mask))
            h = self.rms(x, layer.ffn_norm)
            x = x + layer.down_proj(F.silu(layer.gate_proj(h)) * layer.up_proj(h))
        return self.rms(x, self.norm)

    def attend(self, layer, x, rotated):
        cos, sin, mask = rotated
        b, s, _ = x.shape
        q = layer.q_proj(x).view(b, s, self.heads, self.head_dim).transpose(1, 2)
        k = layer.k_proj(x).view(b, s, self.kv_heads, self.head_dim).transpose(1, 2)
        v = layer.v_proj(x).view(b, s, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = q * cos + half_turn(q) * sin, k * cos + half_turn(k) * sin
        repeat = self.heads // self.kv_heads
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return layer.o_proj(y.transpose(1, 2).reshape(b, s, -1))

    def rms(self, x, weight):
        return F.rms_norm(x, weight.shape, weight, self.eps)

    def logits(self, hidden):
        return F.linear(hidden, self.embedding)


def half_turn(x):
    a, b = x.chunk(2, -1)
    return torch.cat([-b, a], -1)


def deinterleave(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """GGUF's rows (pairs side by side) -> HF's (halves)."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns).contiguous()


class Text:
    """Tokenizer and chat template of the base, from the GGUF alone."""

    def __init__(self, path: Path | str):
        reader = gguf.GGUFReader(str(path))
        vocabulary = reader.fields["tokenizer.ggml.tokens"].contents()
        merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
        kinds = reader.fields["tokenizer.ggml.token_type"].contents()
        self.tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(vocabulary)}, merges))
        self.tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        self.tokenizer.decoder = decoders.ByteLevel()
        self.tokenizer.add_special_tokens([t for t, k in zip(vocabulary, kinds, strict=True) if k == 3])
        self.end = vocabulary.index(END)
        self.before = self.encode(
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\n"
        )

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids)

    def after(self, user_text: str) -> list[int]:
        """What follows the image tokens: the rest of the user turn and the opened assistant turn."""
        return self.encode(f"\n{user_text}<|im_end|>\n<|im_start|>assistant\n")


@dataclass(frozen=True)
class Packed:
    """Independent turns about one image in one sequence; each sees the image and itself only."""

    ids: torch.Tensor  # [s], -1 at the image
    positions: torch.Tensor  # [s]
    mask: torch.Tensor  # bool [1, s, s]
    spans: list[list[int]]  # of each turn, the rows that predict the tokens of its reply


def packed(text: Text, turns: list[tuple[str, list[int]]], image_tokens: int) -> Packed:
    """turns: question and the ids of the reply."""
    prefix = [*text.before, *[-1] * image_tokens]
    ids, positions, owner = list(prefix), list(range(len(prefix))), [0] * len(prefix)
    spans = []
    for number, (question, reply) in enumerate(turns, 1):
        ask = text.after(question)
        first = len(ids) + len(ask) - 1
        segment = ask + reply[:-1]
        spans.append(list(range(first, first + len(reply))))
        ids += segment
        positions += range(len(prefix), len(prefix) + len(segment))
        owner += [number] * len(segment)
    own = torch.tensor(owner)
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    mask = causal & ((own[:, None] == own[None]) | (own[None] == 0))
    return Packed(torch.tensor(ids), torch.tensor(positions), mask[None], spans)


def hidden_states(model: LanguageModel, packs: list[Packed], images: torch.Tensor):
    """Runs a batch of packs (padded on the right) with image tokens [b, T, hidden]."""
    longest = max(len(p.ids) for p in packs)
    rows = []
    positions = torch.zeros(len(packs), longest, dtype=torch.long)
    mask = torch.zeros(len(packs), 1, longest, longest, dtype=torch.bool)
    mask[:, :, :, 0] = True  # a padded row attends to something, so that no NaN arises
    for i, pack in enumerate(packs):
        n = len(pack.ids)
        x = model.embedding[pack.ids.clamp(min=0)]
        at = int((pack.ids == -1).nonzero()[0])
        x = torch.cat([x[:at], images[i], x[at + images.shape[1] :]])
        rows.append(F.pad(x, (0, 0, 0, longest - n)))
        positions[i, :n] = pack.positions
        mask[i, :, :n, :n] = pack.mask
    return model(torch.stack(rows), positions, mask)


@torch.inference_mode()
def log_odds(model: LanguageModel, text: Text, images: torch.Tensor, questions: list[list[str]]) -> list[torch.Tensor]:
    """log p(Yes) - log p(No) of the first answer token, for several questions about each image."""
    yes, no = text.encode("Yes")[0], text.encode("No")[0]
    packs = [packed(text, [(q, [yes]) for q in asked], images.shape[1]) for asked in questions]
    hidden = hidden_states(model, packs, images)
    odds = []
    for i, pack in enumerate(packs):
        logits = model.logits(hidden[i, [at[0] for at in pack.spans]])
        odds.append(logits[:, yes] - logits[:, no])
    return odds


@torch.inference_mode()
def greedy(model: LanguageModel, text: Text, prompt: tuple[torch.Tensor, str], limit: int = 48):
    """prompt (image [T, hidden], user text) -> answer, its token ids and their log-probabilities (without cache)."""
    image, user_text = prompt
    ids, logs = [], []
    head = text.before
    after = text.after(user_text)
    while len(ids) < limit:
        x = torch.cat([model.embedding[head], image, model.embedding[after + ids]])[None]
        n = x.shape[1]
        causal = torch.ones(n, n, dtype=torch.bool).tril()[None, None]
        logits = model.logits(model(x, torch.arange(n)[None], causal)[0, -1])
        best = int(logits.argmax())
        ids.append(best)
        logs.append(float(logits.log_softmax(-1)[best]))
        if best == text.end:
            break
    return text.decode([i for i in ids if i != text.end]), ids, logs
