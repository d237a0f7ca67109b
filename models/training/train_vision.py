"""Trains the vision side on the cached lower features: findings, region, view, and boxes as maps.

First the new neck and heads alone, then the encoder's upper blocks with them. Needs features.py's cache. Writes
WORK/vision.pt (the best assessment by the tune part).
"""

import json
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cache import FeatureCache, Item
from data import BOXED_CHEST_FINDINGS, LIMB_REGIONS, LIMB_VIEWS, arguments, data_folder, load_records
from encoder import DENSE, LABELS, STEM_BLOCKS, Vision
from features import pretrained_path
from image import SIZE

MAP = 28
SMOOTHING = 0.05
WEIGHTS = {"fracture": 8.0, "lesion": 6.0, "malignant": 8.0, "abnormal": 4.0} | {n: 0.5 for n in [*LIMB_REGIONS, *LIMB_VIEWS, "AP"]}
OWN_MAPS = {"fracatlas": ["fracture"], "busi": ["benign", "malignant"], "nih-cxr14": BOXED_CHEST_FINDINGS}


def label_targets(item: Item) -> np.ndarray:
    """1, 0 or -1 (unknown) for every entry of LABELS."""
    known: dict[str, bool] = dict(item.findings)
    record = item.record
    known["blank"] = item.kind == "blank"
    if item.kind != "blank":
        known |= {"limb": record.set == "fracatlas", "breast": record.set == "busi", "chest": record.region == "chest"}
        if record.set == "fracatlas":
            known |= {name: name in record.region.split("+") for name in LIMB_REGIONS}
            known |= {name: name in (record.view or "").split("+") for name in LIMB_VIEWS}
        if record.set == "nih-cxr14" and record.view:
            known["AP"] = record.view == "AP"
    return np.array([float(known[name]) if name in known else -1.0 for name in LABELS], np.float32)


def map_targets(item: Item) -> np.ndarray:
    """[dense, 28, 28]: 1 in a box (an ellipse in it), 0 outside, -1 unknown."""
    targets = np.full((len(DENSE), MAP, MAP), -1, np.float32)
    if item.kind == "blank":
        return targets
    own = OWN_MAPS[item.record.set]
    boxed = {name for name, _ in item.boxes}
    for name in own:
        # A chest finding in the labels without a box is somewhere unknown.
        if name in boxed or not item.findings.get(name, False):
            targets[DENSE.index(name)] = 0
    centres = (np.arange(MAP) + 0.5) * (SIZE / MAP)
    half = SIZE / MAP / 2
    for name, (x, y, w, h) in item.boxes:
        rx, ry = max(w / 2, half), max(h / 2, half)
        dx, dy = (centres - x - w / 2) / rx, (centres - y - h / 2) / ry
        targets[DENSE.index(name)][dx[None] ** 2 + dy[:, None] ** 2 <= 1.05] = 1
    return targets


def losses(vision: Vision, x8, labels, dense_targets):
    logits, dense = vision.see(x8)
    weight = torch.tensor([WEIGHTS.get(name, 1.0) for name in LABELS]) * (labels >= 0)
    smooth = labels.clamp(min=0) * (1 - 2 * SMOOTHING) + SMOOTHING
    per = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    label_loss = (per * weight).sum() / weight.sum()
    known_maps = (dense_targets >= 0).float()
    per = F.binary_cross_entropy_with_logits(dense, dense_targets.clamp(min=0), reduction="none")
    p = torch.sigmoid(dense)
    target = dense_targets.clamp(min=0)
    inside = (per * target * (1 - p)).sum((2, 3)) / target.sum((2, 3)).clamp(min=1)
    outside = (per * (1 - target) * known_maps * p**1.5).sum((2, 3)) / 20
    map_loss = (inside * known_maps.amax((2, 3)) + outside).sum() / known_maps.amax((2, 3)).sum().clamp(min=1) * 2
    # The highest cell of a finding is the image's answer (several instances).
    peak = dense.flatten(2).amax(2)
    at = [(DENSE.index(n), LABELS.index(n)) for n in DENSE if n in LABELS]
    pairs = [(d, label) for d, label in at if DENSE[d] != "malignant"]
    d, label = [p[0] for p in pairs], [p[1] for p in pairs]
    mil = F.binary_cross_entropy_with_logits(peak[:, d], labels[:, label].clamp(min=0), reduction="none")
    mil = (mil * (labels[:, label] >= 0)).sum() / (labels[:, label] >= 0).sum().clamp(min=1)
    return label_loss + map_loss + 0.5 * mil, (label_loss.item(), map_loss.item(), mil.item())


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    order = scores.argsort().argsort()
    pos = truth == 1
    if pos.all() or not pos.any():
        return float("nan")
    return float((order[pos].mean() - (pos.sum() - 1) / 2) / (~pos).sum())


class Draw:
    """Draws a batch: each set's main classes as often as each other; a boxed image often with its box removed beside it."""

    def __init__(self, items: list[Item]):
        self.removed: dict[str, list[Item]] = {}
        self.pools: dict[tuple, dict[str, list[Item]]] = {}
        for item in items:
            if item.kind == "removed":
                self.removed.setdefault(item.record.id, []).append(item)
            else:
                key = (item.record.set, "blank" if item.kind == "blank" else self.label(item.record))
                self.pools.setdefault(key, {}).setdefault(item.record.id, []).append(item)

    def label(self, record) -> str:
        if record.set == "busi":
            return "malignant" if record.findings["malignant"] else "benign" if record.findings["lesion"] else "none"
        return "some" if record.findings.get("fracture", record.findings.get("abnormal")) else "none"

    def batch(self, size: int) -> list[Item]:
        chosen: list[Item] = []
        while len(chosen) < size:
            name = random.choices(["fracatlas", "busi", "nih-cxr14"], [0.5, 0.26, 0.24])[0]
            label = random.choice(["malignant", "benign", "none"] if name == "busi" else ["some", "some", "none"])
            if random.random() < 0.04 and (name, "blank") in self.pools:
                label = "blank"
            pool = self.pools[name, label]
            record = random.choice(list(pool))
            chosen.append(random.choice(pool[record]))
            if label != "blank" and record in self.removed and random.random() < 0.6:
                chosen.append(random.choice(self.removed[record]))
        return chosen[:size]


def flipped(x8, dense, chance: float = 0.5):
    turn = (torch.rand(len(x8)) < chance)[:, None, None, None]
    return torch.where(turn, x8.flip(-1), x8), torch.where(turn, dense.flip(-1), dense)


@torch.inference_mode()
def assess(vision: Vision, cache: FeatureCache, items: list[Item]) -> dict[str, float]:
    vision.eval()
    logits = torch.cat([vision.see(cache.x8(items[at : at + 16]))[0] for at in range(0, len(items), 16)]).numpy()
    truth = np.stack([label_targets(i) for i in items])
    result = {}
    for i, name in enumerate(LABELS):
        known = truth[:, i] >= 0
        if known.sum() > 20 and 0 < truth[known, i].sum() < known.sum():
            result[name] = auc(logits[known, i], truth[known, i])
    boxed = [i for i in items if i.boxes]
    near = box_hits(vision, cache, boxed)[:, 1]
    for name in OWN_MAPS:
        result[f"near-{name}"] = float(near[[i.record.set == name for i in boxed]].mean())
    return result


@torch.inference_mode()
def box_hits(vision: Vision, cache: FeatureCache, items: list[Item]) -> np.ndarray:
    """[items, 2]: whether the highest cell of the first box's finding lies in such a box, and near one."""
    hits = np.zeros((len(items), 2))
    for start in range(0, len(items), 16):
        batch = items[start : start + 16]
        for k, (item, maps) in enumerate(zip(batch, vision.see(cache.x8(batch))[1], strict=True), start):
            name = item.boxes[0][0]
            at = maps[DENSE.index(name)] if item.record.set != "busi" else maps[1:3].amax(0)
            y, x = divmod(int(at.flatten().argmax()), MAP)
            px, py = (x + 0.5) * SIZE / MAP, (y + 0.5) * SIZE / MAP
            for which, margin in enumerate((0, 0.03 * SIZE)):
                hits[k, which] = any(
                    b[0] - margin <= px <= b[0] + b[2] + margin and b[1] - margin <= py <= b[1] + b[3] + margin
                    for n, b in item.boxes if n == name
                )  # fmt: skip
    return hits


def score_of(figures: dict[str, float]) -> float:
    """What an assessment is chosen by."""
    near = figures["near-fracatlas"] + figures["near-busi"] + figures["near-nih-cxr14"]
    return 1.5 * figures["fracture"] + figures["malignant"] + 0.5 * (figures["lesion"] + figures["abnormal"] + near)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=32)
    parser.add_argument("--alone", type=float, default=0.12, help="share of the time for neck and heads alone")
    parser.add_argument("--assess", type=float, default=3.5, help="minutes between assessments")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1.5e-3, help="of neck and heads")
    parser.add_argument("--encoder-lr", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    work = Path(options.work)
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    records = load_records(data_folder(options.data))
    vision = Vision()
    vision.lite0.load_pretrained(pretrained_path())
    vision.to(memory_format=torch.channels_last)
    upper = [p for block in vision.lite0.blocks[STEM_BLOCKS:] for p in block.parameters()]
    heads = [*vision.neck.parameters(), *vision.labels.parameters()]
    for p in vision.lite0.parameters():
        p.requires_grad_(False)
    groups = [{"params": heads, "weight_decay": 0.05}, {"params": upper, "weight_decay": 0.02}]
    optimiser = torch.optim.AdamW(groups, lr=options.lr)
    cache, draw, part = None, None, work / "vision-part.pt"
    best, start, last, step, seen = -1.0, time.time(), -1e9, 0, []
    while (share := (time.time() - start) / (options.minutes * 60)) < 1:
        if time.time() - last > options.assess * 60:
            if cache is not None:
                best = keep_best(vision, cache, (best, step, share), part)
                print("loss", np.mean(seen[-60:], 0).round(3), flush=True)
            cache = FeatureCache(work, records)  # again, since features.py may still be adding to it
            draw, last = Draw(cache.part("train")), time.time()
        adapted = max(0.0, (share - options.alone) / (1 - options.alone))
        for p in upper:
            p.requires_grad_(adapted > 0)
        fall = min(1.0, (step + 1) / 30) * 0.5 * (1 + np.cos(np.pi * share))
        optimiser.param_groups[0]["lr"] = options.lr * fall
        optimiser.param_groups[1]["lr"] = options.encoder_lr * fall * min(1.0, adapted * 20)
        items = draw.batch(options.batch)
        labels = torch.from_numpy(np.stack([label_targets(i) for i in items]))
        dense = torch.from_numpy(np.stack([map_targets(i) for i in items]))
        x8, dense = flipped(cache.x8(items), dense)
        x8 = F.dropout2d(x8, 0.08).contiguous(memory_format=torch.channels_last)
        vision.train()
        loss, terms = losses(vision, x8, labels, dense)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*heads, *upper], 1.0)
        optimiser.step()
        step += 1
        seen.append(terms)
    keep_best(vision, cache, (best, step, 1.0), part)
    part.rename(work / "vision.pt")


def keep_best(vision: Vision, cache: FeatureCache, state, path: Path) -> float:
    best, step, share = state
    figures = assess(vision, cache, [i for i in cache.part("tune") if i.kind == "plain"])
    score = score_of(figures)
    print(f"step {step} at {share:.0%}: score {score:.3f} {json.dumps({k: round(v, 3) for k, v in figures.items()})}", flush=True)
    if score > best:
        torch.save({"vision": vision.state_dict(), "tune": figures, "step": step}, path)
    return max(best, score)


if __name__ == "__main__":
    main()
