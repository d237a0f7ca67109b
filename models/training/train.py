"""Trains projector and LoRA through the language model on the questions of questions.py.

Needs features.py's cache and train_vision.py's WORK/vision.pt. Encoder, neck and heads stay as they
are. Runs for --minutes; writes WORK/nano.pt at every assessment (about each --assess minutes).
"""

import math
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cache import FeatureCache, Item
from data import arguments, data_folder, load_records
from encoder import Vision, start_at_words
from lm import LanguageModel, Text, hidden_states, packed
from questions import questions_for

TOKENS = 49
PROJECTOR = ("project_", "position", "image_words", "cell_words")


class Sampler:
    """Draws items so that the answer to each set's main question is as often yes as no."""

    def __init__(self, items: list[Item]):
        self.pools: dict[tuple, list[Item]] = {}
        for item in items:
            self.pools.setdefault(self.key(item), []).append(item)

    def key(self, item: Item) -> tuple:
        s, f = item.record.set, item.findings
        if item.kind == "blank":
            return (s, "blank")
        if s == "fracatlas":
            return (s, f["fracture"])
        if s == "busi":
            return (s, "malignant" if f["malignant"] else "benign" if f["lesion"] else "normal")
        return (s, "abnormal" if f.get("abnormal", True) else "normal")

    def draw(self, rng: random.Random) -> Item:
        s = rng.choices(["fracatlas", "busi", "nih-cxr14"], [0.45, 0.27, 0.28])[0]
        options = {"fracatlas": [True, False], "busi": ["malignant", "benign", "normal"], "nih-cxr14": ["abnormal", "normal"]}
        weights = {"fracatlas": [1, 1], "busi": [0.4, 0.4, 0.2], "nih-cxr14": [0.6, 0.4]}
        label = rng.choices(options[s], weights[s])[0]
        if rng.random() < 0.06 and (s, "blank") in self.pools:
            label = "blank"
        return rng.choice(self.pools[s, label])


def image_tokens(vision: Vision, cache: FeatureCache, items: list[Item], flips: list[bool]):
    maps = cache.maps(items)
    maps = [torch.stack([m.flip(-1) if f else m for m, f in zip(part, flips, strict=True)]) for part in maps]
    with torch.no_grad():
        cells, image, _ = vision.cells(*maps)
    return vision.tokens(cells, image)


def flipped(boxes, flip: bool):
    return [(n, [448 - b[0] - b[2], *b[1:]] if flip else b) for n, b in boxes]


def answer_loss(model: LanguageModel, packs, images):
    hidden = hidden_states(model, packs, images)
    rows, targets = [], []
    for i, (_, _, _, spans) in enumerate(packs):
        for at, reply in spans:
            rows.append(hidden[i, at])
            targets += reply
    return F.cross_entropy(model.logits(torch.cat(rows)), torch.tensor(targets))


MAIN_QUESTIONS = {"fracatlas": ("fracture", "Is there a fracture?"), "busi": ("malignant", "Is the lesion malignant?")}


@torch.inference_mode()
def log_odds(model: LanguageModel, text: Text, images: torch.Tensor, questions: list[str]) -> np.ndarray:
    """log p(Yes) - log p(No) of the first answer token, an image and question each."""
    yes, no = text.encode("Yes")[0], text.encode("No")[0]
    packs = [packed(model, text, [(q, "Yes")], TOKENS) for q in questions]
    hidden = hidden_states(model, packs, images)
    rows = torch.stack([hidden[i, p[3][0][0][0]] for i, p in enumerate(packs)])
    logits = model.logits(rows)
    return (logits[:, yes] - logits[:, no]).numpy()


@torch.inference_mode()
def assess(model, text, vision, source, limit: int = 70) -> dict[str, float]:
    cache, items = source
    result = {}
    for name, (finding, question) in MAIN_QUESTIONS.items():
        chosen = [i for i in items if i.record.set == name and (name != "busi" or i.findings["lesion"])]
        chosen = random.Random(5).sample(chosen, min(limit, len(chosen)))
        odds = []
        for at in range(0, len(chosen), 10):
            batch = chosen[at : at + 10]
            odds.append(log_odds(model, text, image_tokens(vision, cache, batch, [False] * len(batch)), [question] * len(batch)))
        odds = np.concatenate(odds)
        truth = np.array([i.findings[finding] for i in chosen])
        result[name] = float(((odds[truth] > 0).mean() + (odds[~truth] <= 0).mean()) / 2)
        result[name + "-mean-odds"] = float(odds[truth].mean() - odds[~truth].mean())
    return result


def save(path: Path, vision: Vision, model: LanguageModel, notes: dict) -> None:
    torch.save({"vision": vision.state_dict(), "lora": model.state_dict(), "notes": notes}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--base", default="/tmp/train/base.gguf")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--assess", type=float, default=5)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    work = Path(options.work)
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    rng = random.Random(options.seed)
    cache = FeatureCache(work, load_records(data_folder(options.data)))
    sampler = Sampler(cache.part("train"))
    tune = [i for i in cache.part("tune") if i.kind == "plain"]
    model, text, vision = LanguageModel(options.base, options.rank), Text(options.base), Vision()
    if options.resume:
        state = torch.load(work / "nano.pt", weights_only=True)
        vision.load_state_dict(state["vision"])
        model.load_state_dict(state["lora"])
    else:
        vision.load_state_dict(torch.load(work / "vision.pt", weights_only=True)["vision"], strict=False)
        start_at_words(vision, text, model.embedding)
    projector = []
    for name, p in vision.named_parameters():
        p.requires_grad_(name.startswith(PROJECTOR))
        projector += [p] if p.requires_grad else []
    lora = list(model.parameters())
    optimiser = torch.optim.AdamW(
        [{"params": projector, "lr": options.lr}, {"params": lora, "lr": options.lr}], weight_decay=0.01, betas=(0.9, 0.98)
    )
    peaks = [options.lr, options.lr]
    start, step, seen, last, questions = time.time(), 0, [], time.time(), 0
    while (share := (time.time() - start) / (options.minutes * 60)) < 1:
        rate = min(1, (step + 1) / 15) * (0.5 + 0.5 * math.cos(math.pi * share))
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * max(rate, 0.02)
        items = [sampler.draw(rng) for _ in range(options.batch)]
        flips = [rng.random() < 0.5 for _ in items]
        packs = []
        for item, flip in zip(items, flips, strict=True):
            state = (item.findings, flipped(item.boxes, flip), item.kind == "blank")
            turns = questions_for(item.record, state, rng, 6)
            questions += len(turns)
            packs.append(packed(model, text, turns, TOKENS))
        loss = answer_loss(model, packs, image_tokens(vision, cache, items, flips))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(projector + lora, 1.0)
        optimiser.step()
        step += 1
        seen.append(loss.item())
        if step % 10 == 0:
            print(f"step {step} {time.time() - start:.0f} s loss {np.mean(seen[-10:]):.3f} questions {questions}", flush=True)
        if time.time() - last > options.assess * 60:
            figures = assess(model, text, vision, (cache, tune))
            print("tune", {k: round(v, 3) for k, v in figures.items()}, flush=True)
            save(work / "nano.pt", vision, model, {"step": step, "questions": questions, "seed": options.seed, **figures})
            last = time.time()
    figures = assess(model, text, vision, (cache, tune), 400)
    print("tune, all", {k: round(v, 3) for k, v in figures.items()}, flush=True)
    save(work / "nano.pt", vision, model, {"step": step, "questions": questions, "seed": options.seed, **figures})


if __name__ == "__main__":
    main()
