"""Trains the LoRA of the upper layers on the questions of questions.py.

Needs features.py's cache and train_vision.py's WORK/vision.pt. Encoder, neck and heads stay as they
are. Runs for --minutes; writes WORK/nano.pt at every assessment (about each --assess minutes).
"""

import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cache import FeatureCache, Item
from data import arguments, data_folder, load_records
from encoder import LABELS, NECK, Vision, start_at_words
from lm import LanguageModel, Text, hidden_states, packed
from questions import questions_for
from train_vision import label_targets

TOKENS = 49
FIRST_TOKEN_WEIGHT = 6.0
FIRST_ADAPTED_LAYER = 10


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


class Truth:
    """Label logits as a perfect encoder would give them: the curriculum's first stage.

    The language model learns to read its image tokens from logits that never err; with the real ones,
    which err on a third of the small fractures, it learns for a long time that the image says nothing.
    """

    def __init__(self, stats):
        (self.mean, self.std), _ = stats

    def reveal(self, image: torch.Tensor, items: list[Item]) -> torch.Tensor:
        known = torch.from_numpy(np.stack([label_targets(i) for i in items]))
        size = (1.2 + 0.5 * torch.randn(known.shape)).abs()
        n = known.shape[1]
        told = self.mean[:n] + (2 * known.clamp(min=0) - 1) * size * self.std[:n]
        return torch.cat([torch.where(known >= 0, told, image[:, :n]), image[:, n:]], 1)


def image_tokens(vision: Vision, cache: FeatureCache, items: list[Item], flips: list[bool], truth: Truth | None = None):
    maps = cache.maps(items)
    maps = [torch.stack([m.flip(-1) if f else m for m, f in zip(part, flips, strict=True)]) for part in maps]
    with torch.no_grad():
        cells, image, _ = vision.cells(*maps)
        if truth is not None:
            image = truth.reveal(image, items)
    return vision.tokens(cells, image)


@torch.no_grad()
def statistics(vision: Vision, cache: FeatureCache, items: list[Item]):
    """Threshold (midway between the means of yes and no) and deviation of each label logit; mean and deviation of the cells'.

    From the tune part: on the training part the encoder is surer than it will be of new images.
    """
    parts = [vision.cells(*cache.maps(items[at : at + 32]))[:2] for at in range(0, len(items), 32)]
    cells, image = (torch.cat(p) for p in zip(*parts, strict=True))
    local = cells[..., 2 * NECK :].flatten(0, 1)
    truth = torch.from_numpy(np.stack([label_targets(i) for i in items]))
    n = len(LABELS)
    threshold, deviation = image[:, :n].mean(0), image[:, :n].std(0)
    for k in range(n):
        yes, no = image[truth[:, k] == 1, k], image[truth[:, k] == 0, k]
        if len(yes) >= 4 and len(no) >= 4:
            threshold[k], deviation[k] = (yes.mean() + no.mean()) / 2, torch.cat([yes, no]).std()
    return (threshold, deviation.clamp(min=0.05)), (local.mean(0), local.std(0).clamp(min=0.05))


def flipped(boxes, flip: bool):
    return [(n, [448 - b[0] - b[2], *b[1:]] if flip else b) for n, b in boxes]


def answer_loss(model: LanguageModel, packs, images):
    """-> the weighted loss, and the mean loss of the first tokens alone (Yes or No: what the image decides)."""
    hidden = hidden_states(model, packs, images)
    rows, targets, weights = [], [], []
    for i, (_, _, _, spans) in enumerate(packs):
        for at, reply in spans:
            rows.append(hidden[i, at])
            targets += reply
            weights += [FIRST_TOKEN_WEIGHT, *[1.0] * (len(reply) - 1)]
    weight = torch.tensor(weights)
    loss = F.cross_entropy(model.logits(torch.cat(rows)), torch.tensor(targets), reduction="none")
    return (loss * weight).sum() / weight.sum(), loss[weight == FIRST_TOKEN_WEIGHT].mean().item()


MAIN_QUESTIONS = {"fracatlas": ("fracture", "Is there a fracture?"), "busi": ("malignant", "Is the lesion malignant?")}


@torch.inference_mode()
def log_odds(model: LanguageModel, text: Text, images: torch.Tensor, questions: list[str]) -> np.ndarray:
    """log p(Yes) - log p(No) of the first answer token, an image and question each."""
    return torch.cat(log_odds_of_each(model, text, images, [[q] for q in questions])).numpy()


@torch.inference_mode()
def log_odds_of_each(model: LanguageModel, text: Text, images: torch.Tensor, questions: list[list[str]]) -> list[torch.Tensor]:
    """The same for several questions an image, which share its tokens."""
    yes, no = text.encode("Yes")[0], text.encode("No")[0]
    packs = [packed(model, text, [(q, "Yes") for q in asked], TOKENS) for asked in questions]
    hidden = hidden_states(model, packs, images)
    odds = []
    for i, (_, _, _, spans) in enumerate(packs):
        logits = model.logits(hidden[i, [at[0] for at, _ in spans]])
        odds.append(logits[:, yes] - logits[:, no])
    return odds


@torch.inference_mode()
def assess(model, text, vision, source, limit: int = 30) -> dict[str, float]:
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
    parser.add_argument("--threads", type=int, default=2, help="1 where other work competes: waiting threads burn time")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--truth", type=float, default=0.6, help="share of the run whose label logits mostly tell the truth")
    parser.add_argument("--lora", help="take only the adapter of this checkpoint, start the projector anew")
    options = parser.parse_args()
    work = Path(options.work)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    rng = random.Random(options.seed)
    cache = FeatureCache(work, load_records(data_folder(options.data)))
    sampler = Sampler(cache.part("train"))
    tune = [i for i in cache.part("tune") if i.kind == "plain"]
    model, text, vision = LanguageModel(options.base, options.rank), Text(options.base), Vision()
    print('loaded', flush=True)
    trained = work / ("nano.pt" if options.resume else "vision.pt")
    vision.load_state_dict(torch.load(trained, weights_only=True)["vision"], strict=options.resume)
    stats = statistics(vision, cache, tune)
    if options.resume:
        state = torch.load(work / "nano.pt", weights_only=True)
        model.load_state_dict(state["lora"])
    else:
        start_at_words(vision, (text.encode, model.embedding), stats)
        if options.lora:
            model.load_state_dict(torch.load(options.lora, weights_only=True)["lora"])
    truth = Truth(stats)
    vision.requires_grad_(False)
    for i, layer in enumerate(model.layers):
        layer.requires_grad_(i >= FIRST_ADAPTED_LAYER)
    lora = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(lora, lr=options.lr, weight_decay=0.01, betas=(0.9, 0.98))
    start, step, seen, last, questions = time.time(), 0, [], time.time(), 0
    while (share := (time.time() - start) / (options.minutes * 60)) < 1:
        rate = min(1, (step + 1) / 20) * min(1, 2.5 * (1 - share))
        optimiser.param_groups[0]["lr"] = options.lr * max(rate, 0.05)
        items = [sampler.draw(rng) for _ in range(options.batch)]
        flips = [rng.random() < 0.5 for _ in items]
        packs = []
        for item, flip in zip(items, flips, strict=True):
            state = (item.findings, flipped(item.boxes, flip), item.kind == "blank")
            turns = questions_for(item.record, state, rng, options.turns)
            questions += len(turns)
            short = [rng.random() < 0.65 and a.startswith(("Yes.", "No.")) for _, a in turns]
            packs.append(packed(model, text, turns, TOKENS, short))
        told = truth if share < options.truth and rng.random() < 0.85 else None
        loss, first = answer_loss(model, packs, image_tokens(vision, cache, items, flips, told))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(lora, 1.0)
        optimiser.step()
        step += 1
        seen.append((loss.item(), first))
        if step % 2 == 0:
            print(f"step {step} {time.time() - start:.0f} s loss {np.mean(seen[-5:], 0).round(3)} questions {questions}", flush=True)
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
