"""Does it look? Balanced accuracy on the report part with the true image minus that with another image.

The other image is of the same set, region and view, of another group, with the opposite label.
`--questions` only writes eval-questions.json; else WORK/nano.pt answers it from the cached features.
Intervals: paired bootstrap over groups.
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import torch

from cache import FeatureCache
from data import Record, arguments, data_folder, load_records
from encoder import Vision
from lm import LanguageModel, Text, greedy
from train import image_tokens, log_odds_of_each

QUESTIONS_FILE = Path(__file__).parent / "eval-questions.json"
ASKED = {
    "fracture": ["Is there a fracture?", "Do you see a fracture?", "Is there evidence of a fracture?", "Is a bone broken?", "Any fracture?"],
    "malignant": ["Is the lesion malignant?", "Is the lesion suspicious for malignancy?", "Does the lesion look malignant?"],
    "lesion": ["Is there a lesion?", "Do you see a lesion?", "Is a mass visible?"],
}  # fmt: skip


def draw(options: list, *key: str):
    digest = hashlib.sha256("|".join(key).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def eval_questions(records: list[Record]) -> list[dict]:
    report = [r for r in records if r.part == "report" and r.set in ("fracatlas", "busi")]
    entries = []
    for finding, wordings in ASKED.items():
        asked = [r for r in report if finding in r.findings and (finding != "malignant" or r.findings["lesion"])]
        for r in asked:
            opposite = [o for o in asked if o.region == r.region and o.view == r.view and o.group != r.group
                        and o.findings[finding] != r.findings[finding]]  # fmt: skip
            if not opposite:
                continue
            entries.append({
                "set": r.set, "file": r.file, "group": r.group, "region": r.region, "view": r.view, "finding": finding,
                "hardware": r.hardware, "modality": "US" if r.set == "busi" else "CR",
                "question": draw(wordings, "question", r.id, finding), "choices": ["yes", "no"],
                "label": "yes" if r.findings[finding] else "no", "swapped": draw(opposite, "swap", r.id, finding).file,
            })  # fmt: skip
    return entries


def balanced(answers: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the accuracies on yes and on no."""
    return float((np.mean(answers[labels] == 1) + np.mean(answers[~labels] == 0)) / 2)


def looking(true: np.ndarray, swapped: np.ndarray, about: tuple[np.ndarray, list[str]], rounds: int = 2000) -> dict:
    """true, swapped: yes/no answers; about: labels and groups."""
    labels, groups = about
    names = sorted(set(groups))
    members = {g: np.array([i for i, x in enumerate(groups) if x == g]) for g in names}
    rng = np.random.default_rng(20261122)
    draws = []
    while len(draws) < rounds:
        at = np.concatenate([members[names[i]] for i in rng.integers(0, len(names), len(names))])
        if labels[at].all() or not labels[at].any():
            continue
        a, b = balanced(true[at], labels[at]), balanced(swapped[at], labels[at])
        draws.append((a, b, a - b))
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    point = (balanced(true, labels), balanced(swapped, labels))
    point = (*point, point[0] - point[1])
    keys = ("true", "swapped", "difference")
    return {"questions": len(labels), "yes": int(labels.sum()), "groups": len(names)} | {
        k: {"value": round(p, 4), "low": round(float(a), 4), "high": round(float(b), 4)}
        for k, p, a, b in zip(keys, point, low, high, strict=True)
    }


def auc(odds: np.ndarray, labels: np.ndarray) -> float:
    wins = odds[labels][:, None] - odds[~labels][None]
    return float((wins > 0).mean() + 0.5 * (wins == 0).mean())


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--questions", action="store_true")
    parser.add_argument("--base", default="/tmp/train/base.gguf")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--greedy", type=int, default=5, help="so many free answers are printed")
    options = parser.parse_args()
    work = Path(options.work)
    records = load_records(data_folder(options.data))
    entries = eval_questions(records)
    if options.questions:
        lines = ",\n".join("  " + json.dumps(e) for e in entries)
        QUESTIONS_FILE.write_text(f"[\n{lines}\n]\n")
        return
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    cache = FeatureCache(work, records)
    plain = {i.record.id: i for i in cache.items if i.kind == "plain"}
    model, text, vision = LanguageModel(options.base), Text(options.base), Vision()
    state = torch.load(work / "nano.pt", weights_only=True)
    vision.load_state_dict(state["vision"])
    model.load_state_dict(state["lora"])
    vision.eval()
    figures = {}
    for finding in ASKED:
        asked = [e for e in entries if e["finding"] == finding]
        odds = answers((model, text, vision), cache, asked)
        labels = np.array([e["label"] == "yes" for e in asked])
        groups = [e["group"] for e in asked]
        yes = {k: (v > 0).astype(int) for k, v in odds.items()}
        figures[finding] = looking(yes["file"], yes["swapped"], (labels, groups)) | {"auc": round(auc(odds["file"], labels), 4)}
        keep = np.array([not e["hardware"] for e in asked])
        if not keep.all():
            rest = (labels[keep], [g for g, k in zip(groups, keep, strict=True) if k])
            figures[finding + " without hardware"] = looking(yes["file"][keep], yes["swapped"][keep], rest)
        print(finding, json.dumps(figures[finding]), flush=True)
    figures["notes"] = state["notes"]
    (work / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    show_answers(model, text, (vision, cache, [i for i in plain.values() if i.record.part == "report"]), options.greedy)


def answers(models, cache: FeatureCache, asked: list[dict]) -> dict[str, np.ndarray]:
    """Log-odds of Yes for every question with its own image ("file") and with the other one ("swapped")."""
    model, text, vision = models
    plain = {i.record.id: i for i in cache.items if i.kind == "plain"}
    wanted: dict[str, list[tuple[str, int]]] = {}
    for number, e in enumerate(asked):
        for which in ("file", "swapped"):
            wanted.setdefault(f"{e['set']}/{e[which]}", []).append((which, number))
    odds = {which: np.zeros(len(asked)) for which in ("file", "swapped")}
    ids = sorted(wanted, key=lambda i: len(wanted[i]))
    for at in range(0, len(ids), 6):
        batch = ids[at : at + 6]
        items = [plain[i] for i in batch]
        with torch.inference_mode():
            images = image_tokens(vision, cache, items, [False] * len(items))
        prompts = [[f"Modality: {asked[n]['modality']}.\n{asked[n]['question']}" for _, n in wanted[i]] for i in batch]
        for i, values in zip(batch, log_odds_of_each(model, text, images, prompts), strict=True):
            for (which, n), value in zip(wanted[i], values.tolist(), strict=True):
                odds[which][n] = value
    return odds


def show_answers(model, text, source, count: int) -> None:
    vision, cache, items = source
    rng = random.Random(3)
    for item in rng.sample(items, count):
        with torch.inference_mode():
            image = image_tokens(vision, cache, [item], [False])[0]
        known = [k for k, v in item.findings.items() if v]
        for question in ("What do you see?", rng.choice(["Is there a fracture?", "Is it malignant?", "Where is the abnormality?"])):
            print(item.record.id, item.record.region, known, "|", question, "->", greedy(model, text, (image, question), 36)[0], flush=True)


if __name__ == "__main__":
    main()
