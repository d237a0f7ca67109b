"""Trains the LoRA of the language model's upper layers to read the encoder's tokens. Writes WORK/lora.pt.

The tokens are drawn, not computed from images: what the encoder can say is a kind of image, a place and a bit a label, and
the language model has to say the same in answers, as sure as the bit is. So every answer about an image follows the
same bits, and the weights know nothing of images that the encoder does not tell them.
"""

import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from data import BOXED_CHEST_FINDINGS, CHEST_FINDINGS, LIMB_REGIONS, LIMB_VIEWS, arguments
from encoder import GRID, KINDS, LABELS, LOUDEST, PLACES, Vision, start_at_words
from lm import LanguageModel, Text, hidden_states, packed
from questions import Shown, place_name, turns_for

PARTING_WEIGHT = 6.0  # of the token at which the answers part
FIRST_ADAPTED_LAYER = 10


def drawn_study(rng: random.Random) -> tuple[Shown, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What an encoder could have decided, with the kind, place and bits that say so."""
    kind = rng.choices(KINDS, [0.36, 0.28, 0.29, 0.07])[0]
    bits = {name: rng.choice([-1, 1]) * rng.gauss(0.9, 0.9) for name in LABELS}
    if kind == "chest":
        found = [n for n in [*BOXED_CHEST_FINDINGS, *CHEST_FINDINGS] if rng.random() < 0.12]
        bits |= {n: rng.gauss(0.9 if n in found else -0.9, 0.8) for n in CHEST_FINDINGS}
        bits["abnormal"] = rng.gauss(0.6 if found else -0.6, 1)
    if kind == "breast" and bits["lesion"] < 0:
        bits["malignant"] = -abs(bits["malignant"])
    regions = rng.sample(LIMB_REGIONS, 2 if rng.random() < 0.08 else 1) if kind == "limb" else []
    views = [rng.choice(LIMB_VIEWS)] if kind == "limb" else [rng.choice(["AP", "PA"])] if kind == "chest" else []
    for name in [*LIMB_REGIONS, *LIMB_VIEWS, "AP"]:
        bits[name] = (1 if name in regions + views else -1) * abs(rng.gauss(1.8, 0.7))
    bits = {name: max(-LOUDEST, min(LOUDEST, bit)) for name, bit in bits.items()}
    place, name = drawn_place(rng)
    kinds = torch.tensor([0.97 if k == kind else 0.01 for k in KINDS])
    return Shown(kind, bits, regions, views, name), (kinds, place, torch.tensor([bits[n] for n in LABELS]))


def drawn_place(rng: random.Random) -> tuple[torch.Tensor, str]:
    """A heap of probability around a cell of the grid, and the name of where most of it is."""
    y, x = rng.uniform(0.5, GRID - 1.5), rng.uniform(0.5, GRID - 1.5)
    at = torch.arange(GRID).float()
    width = rng.uniform(0.5, 1.2)
    heap = torch.softmax(((-((at - y) ** 2)[:, None] - ((at - x) ** 2)[None]) / (2 * width**2)).flatten() + torch.randn(PLACES) * 0.5, 0)
    third = torch.arange(GRID) * 3 // GRID
    grid = heap.view(GRID, GRID)
    rows = torch.zeros(3).index_add(0, third, grid.sum(1))
    columns = torch.zeros(3).index_add(0, third, grid.sum(0))
    return heap, place_name(int(columns.argmax()), int(rows.argmax()))


def targets(text: Text, turn) -> tuple[list[int], list[tuple[int, float]], int | None, int]:
    """-> reply ids, (token, probability) where the answers part, the index of it, the first index that is learned."""
    reply = [*text.encode(turn.answer), text.end]
    if not turn.others:
        return reply, [], None, 0
    others = [([*text.encode(answer), text.end], p) for answer, p in turn.others]
    parting = min(next(i for i, (a, b) in enumerate(zip(reply, ids, strict=False)) if a != b) for ids, _ in others)
    soft = [(ids[parting], p) for ids, p in others]
    return reply, [(reply[parting], 1 - sum(p for _, p in soft)), *soft], parting, parting if turn.alone else 0


def answer_loss(model: LanguageModel, text: Text, batch, images: torch.Tensor, rng: random.Random):
    """batch: turns of each image -> the weighted loss; the mean excess over the entropy where the answers part."""
    packs, told = [], []
    for turns in batch:
        replies = []
        for turn in turns:
            reply, soft, parting, first = targets(text, turn)
            if soft and not turn.alone and parting == 0 and rng.random() < 0.5:
                reply = reply[:1]  # what follows a yes or no is soon learned
            replies.append((reply, soft, parting, first))
        packs.append(packed(text, [(t.question, r[0]) for t, r in zip(turns, replies, strict=True)], images.shape[1]))
        told.append(replies)
    hidden = hidden_states(model, packs, images)
    rows, distribution, weights = [], [], []
    for i, (pack, replies) in enumerate(zip(packs, told, strict=True)):
        for at, (reply, soft, parting, first) in zip(pack.spans, replies, strict=True):
            for k in range(first, len(reply)):
                rows.append(hidden[i, at[k]])
                distribution.append(soft if k == parting else [(reply[k], 1.0)])
                weights.append(PARTING_WEIGHT if k == parting else 1.0)
    logs = F.log_softmax(model.logits(torch.stack(rows)), -1)
    loss, excess, parted = 0.0, 0.0, 0
    for row, wanted, weight in zip(logs, distribution, weights, strict=True):
        own = sum(-p * row[token] for token, p in wanted)
        loss = loss + weight * own
        if weight == PARTING_WEIGHT:
            excess += own.item() + sum(p * np.log(max(p, 1e-9)) for _, p in wanted)
            parted += 1
    return loss / sum(weights), excess / max(parted, 1)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4, help="images a step")
    parser.add_argument("--turns", type=int, default=5, help="questions an image")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", help="a checkpoint whose adapter is trained on")
    options = parser.parse_args()
    work = Path(options.work)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    rng = random.Random(options.seed)
    model, text, vision = LanguageModel(work / "base.gguf", options.rank), Text(work / "base.gguf"), Vision()
    start_at_words(vision, text.encode, model.embedding)
    before = (0, 0)
    if options.start:
        started = torch.load(options.start, weights_only=True)
        model.load_state_dict(started["lora"])
        before = (started["notes"].get("language_steps", 0), started["notes"].get("questions", 0))
    for i, layer in enumerate(model.layers):
        layer.requires_grad_(i >= FIRST_ADAPTED_LAYER)
    lora = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(lora, lr=options.lr, weight_decay=0.01, betas=(0.9, 0.98))
    start, step, seen, questions = time.time(), 0, [], 0
    while (share := (time.time() - start) / (options.minutes * 60)) < 1:
        optimiser.param_groups[0]["lr"] = options.lr * max(0.03, min(1, (step + 1) / 15) * min(1, 1.6 * (1 - share)))
        studies = [drawn_study(rng) for _ in range(options.batch)]
        batch = [turns_for(shown, rng, options.turns) for shown, _ in studies]
        with torch.no_grad():
            images = vision.speak(*(torch.stack(part) for part in zip(*[drawn for _, drawn in studies], strict=True)))
        loss, excess = answer_loss(model, text, batch, images, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(lora, 1.0)
        optimiser.step()
        step, questions = step + 1, questions + sum(map(len, batch))
        seen.append((loss.item(), excess))
        if step % 10 == 0:
            print(f"step {step} {time.time() - start:.0f} s loss, excess {np.mean(seen[-20:], 0).round(3)} questions {questions}", flush=True)
        if step % 40 == 0:
            save(work / "lora-part.pt", model, (before[0] + step, before[1] + questions))
    save(work / "lora.pt", model, (before[0] + step, before[1] + questions))


def save(path: Path, model: LanguageModel, done: tuple[int, int]) -> None:
    notes = {"language_steps": done[0], "questions": done[1]}
    torch.save({"lora": model.state_dict(), "notes": notes}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


if __name__ == "__main__":
    main()
