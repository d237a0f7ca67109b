"""Writes the pack's reference images: what an unremarkable image of each kind looks like.

Limb radiographs come from FracAtlas (CC BY 4.0; non-fractured, no hardware, train part); chest
radiographs and breast ultrasound are drawn by this script from fixed seeds, since the licence of
those sets is not stated in the copies at hand. 8-bit grey PNG, long side 448 at most.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from data import arguments, data_folder, load_fracatlas
from image import gaussian, load_gray

FOLDER = Path(__file__).resolve().parents[1] / "packs/meditron-v-nano/references"
# At least four of each body part (docs/grounding.md, GRD-10): the second of a view is another group's image.
WANTED = [
    ("hand", "frontal"), ("hand", "lateral"), ("leg", "frontal"), ("leg", "lateral"), ("hip", "frontal"), ("shoulder", "frontal"),
    ("hand", "oblique"), ("hand", "frontal"), ("leg", "frontal"), ("leg", "lateral"),
    ("hip", "frontal"), ("hip", "frontal"), ("hip", "frontal"), ("shoulder", "frontal"), ("shoulder", "frontal"), ("shoulder", "frontal"),
]  # fmt: skip
ATTRIBUTION = (
    "FracAtlas: Abedeen et al., Scientific Data 10, 2023 (figshare 22363012). Resized to at most 448 pixels, re-encoded as PNG."
)


def limbs(data: Path) -> list[tuple[str, Image.Image, dict]]:
    records = [r for r in load_fracatlas(data) if r.part == "train" and not r.findings["fracture"] and not r.hardware]
    out, used = [], set()
    for number, (region, view) in enumerate(WANTED, 1):
        record = next(r for r in sorted(records, key=lambda r: r.id) if r.region == region and r.view == view and r.group not in used)
        used.add(record.group)
        image = load_gray(record.path)
        image.thumbnail((448, 448), Image.Resampling.BILINEAR)
        about = {"modality": "CR", "body_part": region.upper(), "view": view, "source": record.id, "licence": "CC-BY-4.0", "attribution": ATTRIBUTION}
        out.append((f"limb-{number}.png", image, about))
    return out


def chest(seed: int) -> Image.Image:
    """A frontal chest drawn from smooth shapes: lungs, mediastinum, heart, diaphragm, ribs, clavicles, spine."""
    rng = np.random.default_rng(seed)
    h, w = 448, 400
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y = (x - w / 2) / (w / 2), y / h
    body = 1 / (1 + np.exp((np.abs(x) - 0.95 + 0.25 * np.exp(-(((y - 0.02) / 0.12) ** 2))) * 30))
    image = 165 * body
    wide, high = rng.uniform(0.3, 0.35), rng.uniform(0.3, 0.34)
    lungs = np.zeros_like(x)
    for side in (-1, 1):
        cx, cy = side * rng.uniform(0.42, 0.46), rng.uniform(0.42, 0.45)
        r = ((x - cx + side * 0.12 * (0.6 - y)) / wide) ** 2 + ((y - cy) / high) ** 4
        field = 1 / (1 + np.exp(np.minimum((r - 1) * 12, 60)))
        dome = cy + high * (0.8 if side < 0 else 0.86) + 0.35 * (x - cx) ** 2
        lungs = np.maximum(lungs, field / (1 + np.exp((y - dome) * 60)))
    image -= 105 * lungs
    oval = ((x - 0.13) / rng.uniform(0.3, 0.36)) ** 2 + ((y - 0.62) / 0.16) ** 2
    heart = 1 / (1 + np.exp(np.minimum((oval - 1) * 7, 60)))
    middle = 1 / (1 + np.exp((np.abs(x + 0.01) - 0.13) * 35))
    image += 70 * np.maximum(heart * lungs, middle * 0.8) + 22 * (np.abs(x) < 0.06) * (0.5 + 0.5 * np.sin(y * 120))
    for k in range(10):  # posterior ribs bow upwards to the middle, anterior ones downwards
        line = 0.1 + 0.066 * k + 0.13 * np.abs(x) ** 1.4 * (1 if k % 2 else 1.25)
        image += 15 * np.exp(-(((y - line) / 0.010) ** 2)) * body * (np.abs(x) > 0.1)
    clavicle = 0.145 - 0.07 * np.abs(x)
    image += 26 * np.exp(-(((y - clavicle) / 0.014) ** 2)) * (np.abs(x) > 0.1) * (np.abs(x) < 0.8)
    vessels = gaussian(rng.normal(0, 1, (h, w)).astype(np.float32), 2.2)
    near_hilum = np.exp(-(((np.abs(x) - 0.22) / 0.25) ** 2) - ((y - 0.45) / 0.22) ** 2)
    image += vessels / vessels.std() * (3 + 9 * near_hilum) * lungs + rng.normal(0, 2.2, (h, w))
    image = np.clip(image * rng.uniform(0.95, 1.08) + rng.uniform(0, 10), 0, 255)
    return Image.fromarray(gaussian(image.astype(np.float32), 0.7).astype(np.uint8))


def ultrasound(seed: int) -> Image.Image:
    """Breast tissue without a lesion: skin, fat, fibroglandular and muscle layers under multiplicative speckle."""
    rng = np.random.default_rng(seed)
    h, w = int(rng.uniform(330, 400)), 448
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    depth = y / h
    wave = 0.02 * np.sin(x / w * rng.uniform(3, 7) + rng.uniform(0, 6)) + 0.012 * np.sin(x / w * rng.uniform(9, 15))
    base = np.full((h, w), 95.0, np.float32)
    layers = [(0.0, 0.045, 190), (0.045, rng.uniform(0.18, 0.26), 75), (0.26, rng.uniform(0.55, 0.62), 130), (0.62, 0.72, 85), (0.72, 1.1, 60)]
    for top, bottom, level in layers:
        inside = 1 / (1 + np.exp(-(depth + wave - top) * 70)) - 1 / (1 + np.exp(-(depth + wave - bottom) * 70))
        base += (level - 95) * inside
    strands = gaussian(rng.normal(0, 1, (h, w // 8)).astype(np.float32), 1.6)
    strands = np.asarray(Image.fromarray(strands).resize((w, h), Image.Resampling.BILINEAR))
    base *= 1 + 0.25 * strands / strands.std()
    real, imaginary = (gaussian(rng.normal(0, 1, (h, w)).astype(np.float32), 2.0) for _ in range(2))
    speckle = np.sqrt(real**2 + imaginary**2)
    image = base * (0.62 + 0.38 * speckle / speckle.mean()) * np.exp(-0.7 * np.maximum(depth - 0.3, 0))
    return Image.fromarray(np.clip(gaussian(image.astype(np.float32), 0.6), 0, 255).astype(np.uint8))


def drawn() -> list[tuple[str, Image.Image, dict]]:
    common = {"licence": "Apache-2.0", "attribution": "Drawn by models/training/references.py; no patient."}
    out = []
    for n in range(1, 6):
        about = {"modality": "DX", "body_part": "CHEST", "view": "PA", "source": f"synthetic, seed {100 + n}"} | common
        out.append((f"chest-{n}.png", chest(100 + n), about))
    for n in range(1, 6):
        about = {"modality": "US", "body_part": "BREAST", "view": None, "source": f"synthetic, seed {200 + n}"} | common
        out.append((f"breast-{n}.png", ultrasound(200 + n), about))
    return out


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, image, about in [*limbs(data_folder(options.data)), *drawn()]:
        image.save(FOLDER / name, optimize=True)
        digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
        listed.append({"file": name, **about, "width": image.width, "height": image.height, "sha256": digest})
    (FOLDER / "references.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()
