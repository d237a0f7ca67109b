"""Trains the neck and its auxiliary heads on cached features: findings, region, view, and boxes as maps.

Needs features.py's cache. Writes WORK/vision.pt (the best epoch by the tune part).
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
from encoder import DENSE, LABELS, Vision, label_logits
from features import pretrained_path
from image import SIZE

MAP = 28
OWN_MAPS = {"fracatlas": ["fracture"], "busi": ["benign", "malignant"], "nih-cxr14": BOXED_CHEST_FINDINGS}


def label_targets(item: Item) -> np.ndarray:
    """1, 0 or -1 (unknown) for every entry of LABELS."""
    known: dict[str, bool] = dict(item.findings)
    record = item.record
    if record.set == "busi" and not known.get("lesion", False):
        known.pop("malignant", None)  # malignant or not is asked of lesions only
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


def flip(maps, targets):
    return [m.flip(-1) for m in maps], targets.flip(-1)


def losses(vision: Vision, maps, labels, dense_targets):
    _, image, dense = vision.cells(*maps)
    logits = label_logits(image)
    known = labels >= 0
    weight = torch.ones(len(LABELS))
    weight[:3] = 4.0
    per = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none") * known * weight
    label_loss = per.sum() / (known * weight).sum()
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


@torch.inference_mode()
def assess(vision: Vision, cache: FeatureCache, items: list[Item]) -> dict[str, float]:
    vision.eval()
    scores, truth, hits = [], [], {"fracatlas": [], "busi": [], "nih-cxr14": []}
    for start in range(0, len(items), 32):
        batch = items[start : start + 32]
        _, image, dense = vision.cells(*cache.maps(batch))
        scores.append(label_logits(image).numpy())
        truth += [label_targets(i) for i in batch]
        for item, d in zip(batch, dense, strict=True):
            if item.boxes:
                name = item.boxes[0][0]
                at = d[DENSE.index(name)] if item.record.set != "busi" else d[1:3].amax(0)
                y, x = divmod(int(at.flatten().argmax()), MAP)
                px, py = (x + 0.5) * SIZE / MAP, (y + 0.5) * SIZE / MAP
                near = 0.03 * SIZE
                own = [b for n, b in item.boxes if n == name]
                hits[item.record.set].append(
                    any(b[0] - near <= px <= b[0] + b[2] + near and b[1] - near <= py <= b[1] + b[3] + near for b in own)
                )
    scores, truth = np.concatenate(scores), np.stack(truth)
    result = {}
    for i, name in enumerate(LABELS):
        known = truth[:, i] >= 0
        if known.sum() > 20 and 0 < truth[known, i].sum() < known.sum():
            result[name] = auc(scores[known, i], truth[known, i])
    result |= {f"near-{k}": float(np.mean(v)) for k, v in hits.items() if v}
    return result


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--start", help="weights to go on from (default: the pretrained encoder, a new neck)")
    options = parser.parse_args()
    work = Path(options.work)
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    records = load_records(data_folder(options.data))
    cache = FeatureCache(work, records)
    train = cache.part("train")
    tune = [i for i in cache.part("tune") if i.kind == "plain"]
    print(len(train), "train items", len(tune), "tune items", flush=True)
    vision = Vision()
    vision.lite0.load_pretrained(pretrained_path())
    if options.start:
        vision.load_state_dict(torch.load(options.start, weights_only=True)["vision"], strict=False)
    for p in vision.lite0.parameters():
        p.requires_grad_(False)
    learned = [p for n, p in vision.named_parameters() if n.startswith(("neck", "labels"))]
    optimiser = torch.optim.AdamW(learned, lr=options.lr, weight_decay=0.05)
    steps = options.epochs * (len(train) // 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.lr, total_steps=steps + 1, pct_start=0.15)
    targets = {i.at: (label_targets(i), map_targets(i)) for i in train}
    best, start = -1.0, time.time()
    for epoch in range(options.epochs):
        vision.train()
        random.shuffle(train)
        seen = []
        for at in range(0, len(train) - 31, 32):
            batch = train[at : at + 32]
            maps = cache.maps(batch)
            labels = torch.from_numpy(np.stack([targets[i.at][0] for i in batch]))
            dense = torch.from_numpy(np.stack([targets[i.at][1] for i in batch]))
            if random.random() < 0.5:
                maps, dense = flip(maps, dense)
            maps = [F.dropout2d(m, 0.15) for m in maps]
            loss, terms = losses(vision, maps, labels, dense)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            schedule.step()
            seen.append(terms)
        figures = assess(vision, cache, tune)
        score = figures["fracture"] + figures["malignant"] + figures["abnormal"]
        score += 0.5 * (figures["near-fracatlas"] + figures["near-busi"] + figures["near-nih-cxr14"])
        print(f"epoch {epoch} {time.time() - start:.0f} s loss {np.mean(seen, 0).round(3)} score {score:.3f}")
        print(json.dumps({k: round(v, 3) for k, v in figures.items()}), flush=True)
        if score > best:
            best = score
            torch.save({"vision": vision.state_dict(), "tune": figures}, work / "vision.pt")
        if time.time() - start > options.minutes * 60:
            break


if __name__ == "__main__":
    main()
