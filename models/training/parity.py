"""Writes test/fixtures/nano-parity.json: what torch computes with the exported (fp16) weights.

Two drawn images, which the pack declines, and three of its reference images. The drawings are integer formulas, so that
any language makes them bit for bit:
triangle(n) = min(255, 2 * |n mod 256 - 128|), pixel(x, y) = (triangle(a x + b y) + triangle(c y + 40)) >> 1.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from data import arguments
from evaluate import load_pack
from export import round_to_fp16
from image import fit, normalise
from lm import greedy, log_odds

FIXTURE = Path(__file__).resolve().parents[2] / "test/fixtures/nano-parity.json"
DRAWN = [
    {"width": 320, "height": 416, "a": 3, "b": 1, "c": 2, "question": "Modality: CR. Body part: HAND.\nIs there a fracture?"},
    {"width": 384, "height": 300, "a": 1, "b": 2, "c": 5, "question": "Modality: US. Body part: BREAST.\nWhat do you see?"},
]

REFERENCES = Path(__file__).resolve().parents[2] / "models/packs/meditron-v-nano/references"
KNOWN = [
    {"reference": "limb-1", "question": "Modality: CR. Body part: HAND.\nIs there a fracture?"},
    {"reference": "chest-1", "question": "Modality: DX. Body part: CHEST.\nIs the chest abnormal?"},
    {"reference": "breast-1", "question": "Modality: US. Body part: BREAST.\nIs there a lesion?"},
]


def triangle(n: np.ndarray) -> np.ndarray:
    return np.minimum(255, 2 * np.abs(n % 256 - 128))


def draw(about: dict) -> Image.Image:
    y, x = np.mgrid[0 : about["height"], 0 : about["width"]]
    pixels = (triangle(about["a"] * x + about["b"] * y) + triangle(about["c"] * y + 40)) >> 1
    return Image.fromarray(pixels.astype(np.uint8))


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--fixture", type=Path, default=FIXTURE)
    options = parser.parse_args()
    work, fixture = Path(options.work), options.fixture
    model, text, vision = load_pack(work)
    round_to_fp16(vision)
    round_to_fp16(model)
    cases = []
    for about in [*DRAWN, *KNOWN]:
        known = about.get("reference")
        image = draw(about) if known is None else Image.open(REFERENCES / f"{known}.png").convert("L")
        fitted, _, left, top = fit(image)
        pixels = np.asarray(fitted)
        with torch.inference_mode():
            tokens = vision(torch.from_numpy(normalise(pixels))[None])[0]
        answer, ids, logs = greedy(model, text, (tokens, about["question"]), 40)
        odds = log_odds(model, text, tokens[None], [[about["question"]]])[0][0]
        cases.append({
            **about, "offset": [left, top], "fitted_sum": int(pixels.astype(np.int64).sum()),
            "fitted_row_224": pixels[224, ::16].tolist(),
            "prompt_ids": [*text.before, *[-1] * len(tokens), *text.after(about["question"])],
            "embeddings": [[round(float(v), 6) for v in (t.mean(), t.norm(), *t[:6])] for t in tokens],
            "answer": answer, "token_ids": ids, "log_probabilities": [round(v, 5) for v in logs],
            "yes_minus_no": round(float(odds), 5),
        })  # fmt: skip
    fixture.parent.mkdir(parents=True, exist_ok=True)
    made = "models/training/parity.py: dequantised base, adapter and vision weights rounded to fp16"
    note = "embeddings: a row a token: mean, norm, first six values. prompt_ids: -1 stands for an image token."
    rows = ",\n".join(json.dumps(c) for c in cases)
    fixture.write_text(f'{{"made_by": {json.dumps(made)}, "note": {json.dumps(note)}, "cases": [\n{rows}\n]}}\n')
    print([c["answer"] for c in cases])


if __name__ == "__main__":
    main()
