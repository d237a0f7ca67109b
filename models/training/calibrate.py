"""Puts the pack's weights together: WORK/vision.pt, calibrated on the tune part, and WORK/lora.pt -> WORK/nano.pt.

Each label's logit becomes a bit by a logistic fit (bit = half of the fitted logit), with the slope held back where the
tune part shows little. Yes and no weigh the same where the encoder can tell them apart; where it hardly can (AUC below
TELLS), the bit stands for how common the finding is. Then the bits of the main findings are shifted so that the language
model's own leaning is undone: midway between the mean odds of yes and of no stands zero.
"""

import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cache import FeatureCache
from data import arguments, data_folder, load_records
from encoder import KINDS_AT, LABELS, Vision, start_at_words
from lm import LanguageModel, Text, log_odds
from train_vision import auc, label_targets

QUESTIONS = {
    "fracture": ["Modality: CR.\nIs there a fracture?", "Is a bone broken?"],
    "malignant": ["Modality: US.\nIs the lesion malignant?", "Is the lesion suspicious for malignancy?"],
    "lesion": ["Modality: US.\nIs there a lesion?"],
    "abnormal": ["Modality: CR.\nIs the chest abnormal?"],
}
RIDGE = 2.0  # on the slope, in images
TELLS = 0.6
KIND_SHARPNESS, BLANK_LEAD = 2.0, 2.0
MOST_ASKED = 72  # images a finding
FEWEST = 4  # of each answer; else the logit is taken as it is


@torch.inference_mode()
def label_logits(vision: Vision, cache: FeatureCache, items: list) -> torch.Tensor:
    vision.eval()
    return torch.cat([vision.see(cache.x8(items[at : at + 16]))[0] for at in range(0, len(items), 16)])


def logistic_fit(x: torch.Tensor, truth: torch.Tensor, balanced: bool) -> tuple[float, float]:
    """-> slope and offset of the logit of truth, by x."""
    middle, spread = x.mean(), x.std().clamp(min=1e-3)
    z = (x - middle) / spread
    weight = torch.ones(len(x))
    if balanced:
        weight = torch.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    line = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=60)

    def loss():
        optimiser.zero_grad()
        value = (weight * F.binary_cross_entropy_with_logits(z * line[0] + line[1], truth, reduction="none")).sum()
        value = value + RIDGE / 2 * line[0] ** 2
        value.backward()
        return value

    optimiser.step(loss)
    slope, offset = line.detach().tolist()
    if slope <= 0:
        share = truth.mean().item()
        return 0.0, 0.0 if balanced else float(np.log(share / (1 - share)))
    return slope / spread.item(), offset - slope * (middle / spread).item()


@torch.inference_mode()
def leaning(models, cache: FeatureCache, items: list, finding: str) -> float:
    """By how much to shift the bit of a finding."""
    model, text, vision = models
    at = LABELS.index(finding)
    odds, bits = [], []
    for start in range(0, len(items), 6):
        batch = items[start : start + 6]
        kind, place, told = vision.decide(*vision.see(cache.x8(batch)))
        bits += told[:, at].tolist()
        found = log_odds(model, text, vision.speak(kind, place, told), [QUESTIONS[finding]] * len(batch))
        odds += [o.mean().item() for o in found]
    odds, bits, truth = np.array(odds), np.array(bits), np.array([i.findings[finding] for i in items])
    slope = np.polyfit(bits, odds, 1)[0]
    middle = (odds[truth].mean() + odds[~truth].mean()) / 2
    shift = float(np.clip(-middle / slope, -1, 1)) if slope > 0.2 else 0.0
    print(f"{finding}: AUC {auc(odds, truth):.3f}, {slope:.2f} nats a bit, middle {middle:.2f}, bit shifted by {shift:.2f}", flush=True)
    return shift


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    options = parser.parse_args()
    work = Path(options.work)
    cache = FeatureCache(work, load_records(data_folder(options.data)))
    model, text, vision = LanguageModel(work / "base.gguf"), Text(work / "base.gguf"), Vision()
    seen = torch.load(work / "vision.pt", weights_only=True)
    vision.load_state_dict(seen["vision"])
    start_at_words(vision, text.encode, model.embedding)
    tune = [i for i in cache.part("tune") if i.kind == "plain"]
    logits = label_logits(vision, cache, tune)
    truth = torch.from_numpy(np.stack([label_targets(i) for i in tune]))
    for at, name in enumerate(LABELS):
        known = truth[:, at] >= 0
        yes = int((truth[known, at] == 1).sum())
        if min(yes, int(known.sum()) - yes) >= FEWEST:
            x, y = logits[known, at], truth[known, at]
            slope, offset = logistic_fit(x, y, auc(x.numpy(), y.numpy()) >= TELLS)
            vision.said_scale[at], vision.said_shift[at] = slope / 2, offset / 2
            print(f"{name}: {yes} of {int(known.sum())}, slope {slope:.2f}, offset {offset:.2f}")
    with torch.no_grad():  # real images lie far from blank ones: so sharp that neither is taken for a little of the other
        vision.labels.bias[LABELS.index("blank")] += BLANK_LEAD
        for part in (vision.labels.weight, vision.labels.bias):
            part[KINDS_AT] *= KIND_SHARPNESS
    language = torch.load(work / "lora.pt", weights_only=True)
    model.load_state_dict(language["lora"])
    for finding in QUESTIONS:
        asked = [i for i in tune if finding in i.findings and (finding != "malignant" or i.findings["lesion"])]
        asked = random.Random(9).sample(asked, min(MOST_ASKED, len(asked)))
        vision.said_shift[LABELS.index(finding)] += leaning((model, text, vision), cache, asked, finding)
    notes = {"vision_step": seen["step"], "tune": {k: round(v, 3) for k, v in seen["tune"].items()}, **language["notes"]}
    torch.save({"vision": vision.state_dict(), "lora": language["lora"], "notes": notes}, work / "nano.pt")


if __name__ == "__main__":
    main()
