"""Centres the answers: shifts the spoken bits of the main findings so that Yes and No are balanced on the tune part.

The language model has a leaning of its own for each question. For each main finding, odds are fitted as a line
of the bit; the bit is shifted so that the point midway between the classes' mean odds comes to zero. Changes
WORK/nano.pt (the shift goes into the exported vision graph).
"""

import random
from pathlib import Path

import numpy as np
import torch

from cache import FeatureCache
from data import arguments, data_folder, load_records
from encoder import LABELS, LOUDEST, Vision
from lm import LanguageModel, Text
from train import image_tokens, log_odds_of_each

ASKED = {
    "fracture": ["Is there a fracture?", "Modality: CR.\nDo you see a fracture?", "Modality: DX.\nIs a bone broken?"],
    "malignant": ["Is the lesion malignant?", "Modality: US.\nIs the lesion suspicious for malignancy?"],
    "lesion": ["Is there a lesion?", "Modality: US.\nDo you see a lesion?"],
}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--base", default="/tmp/train/base.gguf")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    path = Path(options.work) / "nano.pt"
    cache = FeatureCache(Path(options.work), load_records(data_folder(options.data)))
    tune = [i for i in cache.part("tune") if i.kind == "plain"]
    model, text, vision = LanguageModel(options.base), Text(options.base), Vision()
    state = torch.load(path, weights_only=True)
    vision.load_state_dict(state["vision"])
    model.load_state_dict(state["lora"])
    for finding, questions in ASKED.items():
        at = LABELS.index(finding)
        items = [i for i in tune if finding in i.findings and (finding != "malignant" or i.findings["lesion"])]
        items = random.Random(9).sample(items, min(72, len(items)))
        odds, bits = [], []
        for start in range(0, len(items), 6):
            batch = items[start : start + 6]
            with torch.inference_mode():
                _, image, _ = vision.cells(*cache.maps(batch))
                tokens = image_tokens(vision, cache, batch, [False] * len(batch))
            bits += (image[:, at] * vision.said_scale[at] + vision.said_shift[at]).clamp(-LOUDEST, LOUDEST).tolist()
            odds += [o.mean().item() for o in log_odds_of_each(model, text, tokens, [questions] * len(batch))]
        odds, bits = np.array(odds), np.array(bits)
        truth = np.array([i.findings[finding] for i in items])
        slope, _ = np.polyfit(bits, odds, 1)
        middle = (odds[truth].mean() + odds[~truth].mean()) / 2
        shift = float(np.clip(-middle / slope, -1.2, 1.2)) if slope > 0.1 else 0.0
        print(f"{finding}: slope {slope:.2f} nats a deviation, middle {middle:.2f}, bit shifted by {shift:.2f}", flush=True)
        vision.said_shift[at] += shift
    torch.save({**state, "vision": vision.state_dict()}, path)


if __name__ == "__main__":
    main()
