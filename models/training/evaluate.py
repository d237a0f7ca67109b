"""Does it look? Balanced accuracy on the report part with the true image minus that with another image.

The other image is of the same set, region and view, of another group, with the opposite label. Also: how often the top
of the encoder's own map lies in a box. `--questions` only writes eval-questions.json (limbs and breasts); else
WORK/nano.pt answers from the cached features and WORK/figures.json is written. Intervals: bootstrap over groups.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from cache import FeatureCache
from data import BOXED_CHEST_FINDINGS, Record, arguments, data_folder, load_records
from encoder import Vision
from lm import LanguageModel, Text, greedy, log_odds
from questions import FINDINGS
from train_vision import auc, box_hits

QUESTIONS_FILE = Path(__file__).parent / "eval-questions.json"
ASKED = {
    "fracture": ["Is there a fracture?", "Do you see a fracture?", "Is there evidence of a fracture?", "Is a bone broken?", "Any fracture?"],
    "malignant": ["Is the lesion malignant?", "Is the lesion suspicious for malignancy?", "Does the lesion look malignant?"],
    "lesion": ["Is there a lesion?", "Do you see a lesion?", "Is a mass visible?"],
}  # fmt: skip
ASKED_OF_CHESTS = {"abnormal": ["Is the chest abnormal?"]} | {
    name: ["Is the heart enlarged?"] if name == "Cardiomegaly" else [f"Is there {FINDINGS[name].nouns[0]}?"] for name in BOXED_CHEST_FINDINGS
}


def draw(options: list, *key: str):
    digest = hashlib.sha256("|".join(key).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def eval_questions(records: list[Record], wording: dict[str, list[str]]) -> list[dict]:
    report = [r for r in records if r.part == "report"]
    entries = []
    for finding, wordings in wording.items():
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


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--questions", action="store_true")
    options = parser.parse_args()
    work = Path(options.work)
    records = load_records(data_folder(options.data))
    if options.questions:
        lines = ",\n".join("  " + json.dumps(e) for e in eval_questions(records, ASKED))
        QUESTIONS_FILE.write_text(f"[\n{lines}\n]\n")
        return
    torch.set_flush_denormal(True)
    cache = FeatureCache(work, records)
    report = {i.record.id: i for i in cache.part("report") if i.kind == "plain"}
    model, text, vision = load_pack(work)
    tokens = {i.record.id: t for i, t in zip(report.values(), image_tokens(vision, cache, list(report.values())), strict=True)}
    entries = eval_questions(records, ASKED | ASKED_OF_CHESTS)
    all_odds = answers((model, text), tokens, entries)
    figures = {}
    for finding in ASKED | ASKED_OF_CHESTS:
        chosen = [n for n, e in enumerate(entries) if e["finding"] == finding]
        asked, odds = [entries[n] for n in chosen], {which: values[chosen] for which, values in all_odds.items()}
        labels = np.array([e["label"] == "yes" for e in asked])
        groups = [e["group"] for e in asked]
        yes = {k: (v > 0).astype(int) for k, v in odds.items()}
        figures[finding] = looking(yes["file"], yes["swapped"], (labels, groups)) | {"auc": round(auc(odds["file"], labels), 4)}
        keep = np.array([not e["hardware"] for e in asked])
        if not keep.all():
            rest = (labels[keep], [g for g, k in zip(groups, keep, strict=True) if k])
            figures[finding + " without hardware"] = looking(yes["file"][keep], yes["swapped"][keep], rest)
        print(finding, json.dumps(figures[finding]), flush=True)
    figures["top of the map in a box"] = box_figures(vision, cache, [i for i in report.values() if i.boxes])
    figures["notes"] = torch.load(work / "nano.pt", weights_only=True)["notes"]
    (work / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    for number, item in enumerate(report.values()):
        if number % 60 == 0:
            for question in ("What do you see?", "Is there a fracture?", "Is the lesion malignant?", "Is the liver enlarged?", "Where is the abnormality?"):
                answer = greedy(model, text, (tokens[item.record.id], question), 40)[0]
                print(item.record.id, [k for k, v in item.findings.items() if v], "|", question, "->", answer, flush=True)


def load_pack(work: Path) -> tuple[LanguageModel, Text, Vision]:
    model, text, vision = LanguageModel(work / "base.gguf"), Text(work / "base.gguf"), Vision()
    state = torch.load(work / "nano.pt", weights_only=True)
    vision.load_state_dict(state["vision"])
    model.load_state_dict(state["lora"])
    return model, text, vision.eval()


@torch.inference_mode()
def image_tokens(vision: Vision, cache: FeatureCache, items: list) -> torch.Tensor:
    parts = [items[at : at + 16] for at in range(0, len(items), 16)]
    return torch.cat([vision.speak(*vision.decide(*vision.see(cache.x8(part)))) for part in parts])


def answers(models, tokens: dict[str, torch.Tensor], asked: list[dict]) -> dict[str, np.ndarray]:
    """Log-odds of Yes for every question with its own image ("file") and with the other one ("swapped")."""
    wanted: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for number, e in enumerate(asked):
        for which in ("file", "swapped"):
            of_image = wanted.setdefault(f"{e['set']}/{e[which]}", {})
            of_image.setdefault(f"Modality: {e['modality']}.\n{e['question']}", []).append((which, number))
    odds = {which: np.zeros(len(asked)) for which in ("file", "swapped")}
    ids = sorted(wanted, key=lambda i: len(wanted[i]))
    for at in range(0, len(ids), 6):
        batch = ids[at : at + 6]
        found = log_odds(*models, torch.stack([tokens[i] for i in batch]), [list(wanted[i]) for i in batch])
        for i, values in zip(batch, found, strict=True):
            for places, value in zip(wanted[i].values(), values.tolist(), strict=True):
                for which, n in places:
                    odds[which][n] = value
    return odds


def box_figures(vision: Vision, cache: FeatureCache, items: list) -> dict:
    """Per set: in the box, and in the box enlarged by 3 % of the image's long side, with intervals."""
    hits = box_hits(vision, cache, items)
    rng = np.random.default_rng(20261122)
    result = {}
    for name in ("fracatlas", "busi", "nih-cxr14", "nih-cxr14 without Cardiomegaly"):
        at = [k for k, i in enumerate(items) if i.record.set == name.split(" ")[0] and not ("without" in name and i.boxes[0][0] == "Cardiomegaly")]
        groups = sorted({items[k].record.group for k in at})
        members = {g: [k for k in at if items[k].record.group == g] for g in groups}
        draws = [hits[[k for g in rng.choice(groups, len(groups)) for k in members[g]]].mean(0) for _ in range(1000)]
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        values = zip(("inside", "near"), hits[at].mean(0), low, high, strict=True)
        result[name] = {"images": len(at)} | {k: {"value": round(float(p), 4), "low": round(float(a), 4), "high": round(float(b), 4)} for k, p, a, b in values}
    print(json.dumps(result), flush=True)
    return result


if __name__ == "__main__":
    main()
