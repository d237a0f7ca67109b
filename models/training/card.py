"""Writes WORK/out/card.json: the facts of the pack's card, with the figures of evaluate.py as they are."""

import json
from pathlib import Path

import torch

from data import BOXED_CHEST_FINDINGS, SPLIT_SEED, TRAIN_SHARE, TUNE_SHARE, arguments, data_folder, load_records

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
    {"name": "SmolLM2-135M-Instruct", "licence": "Apache-2.0"},
    {"name": "EfficientNet-Lite0", "licence": "Apache-2.0"},
]
FAILURES = [
    "The language model repeats what the encoder decides (fracture, hardware; malignant, lesion; abnormal and single chest findings): "
    "it does not look for itself and finds nothing else.",
    "Small training sets (about 1,650 images). Hairline fractures and fractures of a few pixels are often missed.",
    "Metal hardware goes with fracture in the training data; see the figure without hardware.",
    "Breast lesions: larger lesions tend to be called suspicious, as in the training data; callipers and text occur on most lesion images.",
    "No finding other than those trained is known to it: dislocation, arthrosis, foreign bodies, bone tumours and others are not reported, "
    "and a question about them may be answered as if it were about a fracture.",
    "'The image does not show this.' is said of questions that this kind of image cannot answer, and of blank or blurred images; "
    "other kinds of images (CT, photographs) are taken for one of the three it knows.",
    "The place in an answer ('in the lower left') and the limb region it names ('a radiograph of the hip') are mostly guesses: use the "
    "evidence on the image instead. Left and right are those of the image, not of the patient.",
    "An open answer can still differ from the yes/no answer where the encoder is unsure, and off-topic questions are sometimes answered "
    "('Is there a fracture?' on a breast ultrasound: Yes).",
    "Answers to open questions follow a few patterns; unusual wording may be answered with the nearest pattern.",
]


def chest_failure(figures: dict) -> str:
    """In plain words, which chest findings it does not tell: the interval of the difference reaches zero."""
    names = {name: name.replace("_", " ").lower() for name in ["abnormal", *BOXED_CHEST_FINDINGS]}
    chance = [n for n in names if figures[n]["difference"]["low"] <= 0]
    fixed = [names[n] for n in chance if figures[n]["true"]["value"] == figures[n]["swapped"]["value"] == 0.5]
    lost = [names[n] for n in chance if names[n] not in fixed]
    above = [f"{names[n]} ({figures[n]['true']['value']:.2f})" for n in names if n not in chance]
    parts = [
        f"the answer is the same whatever the image shows, No, for {', '.join(fixed)}" if fixed else "",
        f"no better than chance for {', '.join(lost)}" if lost else "",
        f"better than chance, yet weak, for {', '.join(above)} (balanced accuracy)" if above else "",
    ]
    return f"Chest radiographs, report part: {'; '.join(p for p in parts if p)}. Do not rely on its chest answers."


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
            "chest radiographs, frontal": {"modalities": ["CR", "DX"], "views": ["PA", "AP"], "asked": "abnormal, findings of ChestX-ray14 (weak)"},
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
            "note": "The tune part chose the checkpoint and calibrates the encoder's decisions; the report part gave figures only.",
        },
        "figures": {
            "what": "Balanced accuracy of yes/no on the report part, by the odds of Yes against No: true image, another image of the same "
            "set, region and view with the opposite label, and the difference. 95 % paired bootstrap over groups. Top of the map in a box: "
            "how often the highest cell of the encoder's map for the finding lies in a box of it (a proposal, no evidence).",
            "command": "python models/training/evaluate.py",
            "questions": "models/training/eval-questions.json",
            **figures,
        },
        "known_failures": [*FAILURES[:1], chest_failure(figures), *FAILURES[1:]],
    }
    (work / "out/card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
