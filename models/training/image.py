"""Preprocessing (which the app repeats pixel for pixel), augmentation and region replacement.

Preprocessing: 8-bit grey, resized with PIL's antialiased bilinear filter so that the long side is
SIZE, rounded to 8 bit, centred on PAD_VALUE, /255, normalised, the one channel repeated three times.
"""

import math

import numpy as np
from PIL import Image, ImageFilter

SIZE = 448
PAD_VALUE = 0
MEAN, STD = 0.498, 0.502  # of the encoder's own pretraining (127/255, 128/255)

Box = list[float]  # [x, y, width, height]


def load_gray(path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def fit(image: Image.Image) -> tuple[Image.Image, float, int, int]:
    """The padded SIZE x SIZE image, the scale and the offset: fitted = stored * scale + offset."""
    scale = SIZE / max(image.size)
    width = max(1, math.floor(image.width * scale + 0.5))
    height = max(1, math.floor(image.height * scale + 0.5))
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (SIZE - width) // 2, (SIZE - height) // 2
    padded = Image.new("L", (SIZE, SIZE), PAD_VALUE)
    padded.paste(resized, (left, top))
    return padded, scale, left, top


def fit_box(box: Box, scale: float, left: int, top: int) -> Box:
    x, y, w, h = box
    return [x * scale + left, y * scale + top, w * scale, h * scale]


def normalise(image: np.ndarray) -> np.ndarray:
    """uint8 [h, w] -> float32 [3, h, w]"""
    values = (image.astype(np.float32) / 255 - MEAN) / STD
    return np.repeat(values[None], 3, axis=0)


def augment(image: Image.Image, boxes: list[Box], rng: np.random.Generator):
    """Crop (never through a box), rotate and change the grey scale of a stored image."""
    image, boxes = crop_around(image, boxes, rng)
    image, boxes = rotate(image, boxes, rng.uniform(-12, 12))
    values = np.asarray(image, np.float32) / 255
    values = values ** math.exp(rng.normal(0, 0.25))
    values = (values - 0.5) * rng.uniform(0.75, 1.2) + 0.5 + rng.uniform(-0.06, 0.06)
    if rng.random() < 0.3:
        values = values + rng.normal(0, rng.uniform(0.005, 0.03), values.shape)
    image = Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    return image, boxes


def crop_around(image: Image.Image, boxes: list[Box], rng: np.random.Generator):
    w, h = image.size
    keep = rng.uniform(0.78, 1.0)
    cw, ch = w * keep, h * min(1.0, keep * rng.uniform(0.9, 1.1))
    x0, y0 = rng.uniform(0, w - cw), rng.uniform(0, h - ch)
    x1, y1 = x0 + cw, y0 + ch
    for bx, by, bw, bh in boxes:
        x0, y0 = min(x0, max(0, bx - 8)), min(y0, max(0, by - 8))
        x1, y1 = max(x1, min(w, bx + bw + 8)), max(y1, min(h, by + bh + 8))
    x0, y0, x1, y1 = round(x0), round(y0), round(x1), round(y1)
    moved = [[bx - x0, by - y0, bw, bh] for bx, by, bw, bh in boxes]
    return image.crop((x0, y0, x1, y1)), moved


def rotate(image: Image.Image, boxes: list[Box], degrees: float):
    """Rotation about the centre without enlarging; boxes become the bounds of their turned corners."""
    turned = image.rotate(degrees, Image.Resampling.BILINEAR)
    a = math.radians(degrees)
    cx, cy = image.width / 2, image.height / 2
    moved = []
    for x, y, w, h in boxes:
        corners = [(x, y), (x + w, y), (x, y + h), (x + w, y + h)]
        xs = [cx + (px - cx) * math.cos(a) + (py - cy) * math.sin(a) for px, py in corners]
        ys = [cy - (px - cx) * math.sin(a) + (py - cy) * math.cos(a) for px, py in corners]
        # The bounds of a turned box are too wide: shrink them back towards the box's own area.
        shrink = math.sqrt(max(1e-6, w * h / ((max(xs) - min(xs)) * (max(ys) - min(ys)))))
        bw, bh = (max(xs) - min(xs)) * shrink, (max(ys) - min(ys)) * shrink
        moved.append([(max(xs) + min(xs) - bw) / 2, (max(ys) + min(ys) - bh) / 2, bw, bh])
    return turned, moved


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blur of a float image by way of a smaller copy where sigma is large (fast enough per image)."""
    step = max(1, int(sigma // 3))
    h, w = values.shape
    small = Image.fromarray(values.astype(np.float32))
    if step > 1:
        small = small.resize((max(1, w // step), max(1, h // step)), Image.Resampling.BOX)
    data = np.asarray(small)
    radius = max(1, int(3 * sigma / step))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / (sigma / step)) ** 2)
    kernel /= kernel.sum()
    data = np.pad(data, radius, mode="edge")
    data = np.apply_along_axis(np.convolve, 0, data, kernel, "valid")
    data = np.apply_along_axis(np.convolve, 1, data, kernel, "valid")
    return np.asarray(Image.fromarray(data.astype(np.float32)).resize((w, h), Image.Resampling.BILINEAR))


def replace_regions(image: np.ndarray, boxes: list[Box], kind: str, rng: np.random.Generator) -> np.ndarray:
    """Replaces boxes of a uint8 image by a fill.

    kind: "blur" (sigma 5 % of the long side, what lies beneath shines through), "surround" (from
    the pixels around the box only, so that nothing of the inside is left), "mean". Blur and
    surround get noise of the strength that the image has there, so that smoothness is no sign.
    """
    if not boxes:
        return image
    values = image.astype(np.float32)
    mask = np.zeros(values.shape, np.float32)
    h, w = values.shape
    for x, y, bw, bh in boxes:
        x0, y0 = max(0, int(x)), max(0, int(y))
        mask[y0 : min(h, math.ceil(y + bh)), x0 : min(w, math.ceil(x + bw))] = 1
    sigma = 0.05 * max(h, w)
    if kind == "mean":
        fill = np.full_like(values, values[values > PAD_VALUE].mean() if (values > PAD_VALUE).any() else 0)
    else:
        if kind == "blur":
            fill = gaussian(values, sigma)
        else:
            outside = 1 - mask
            near, far = sigma * 0.5, sigma * 2.5
            fill = gaussian(values * outside, near) / np.maximum(gaussian(outside, near), 1e-3)
            wide = gaussian(values * outside, far) / np.maximum(gaussian(outside, far), 1e-3)
            trust = np.clip(gaussian(outside, near) * 4, 0, 1)
            fill = fill * trust + wide * (1 - trust)
        detail = np.clip(values - gaussian(values, 3), -12, 12)  # an edge is not noise
        strength = np.sqrt(np.maximum(gaussian(detail**2, sigma), 0))
        noise = gaussian(rng.normal(0, 1, values.shape).astype(np.float32), 1.0)
        fill = fill + noise / max(noise.std(), 1e-6) * strength * 0.7
    soft = gaussian(mask, 1.5) if kind != "mean" else mask
    return np.clip(values * (1 - soft) + fill * soft + 0.5, 0, 255).astype(np.uint8)


def random_windows(image: np.ndarray, avoid: list[Box], rng: np.random.Generator, count: int) -> list[Box]:
    """Windows of 24 to 190 px around pixels that are not dark, leaving the given boxes (and 10 px) alone."""
    windows: list[Box] = []
    bright = np.argwhere(image > max(20, 0.6 * float(image.mean())))
    if not len(bright):
        return windows
    for _ in range(count * 8):
        if len(windows) == count:
            break
        w, h = np.exp(rng.uniform(np.log(24), np.log(190), 2))
        cy, cx = bright[rng.integers(len(bright))]
        x, y = cx - w / 2, cy - h / 2
        hit = any(x < bx + bw + 10 and bx - 10 < x + w and y < by + bh + 10 and by - 10 < y + h
                  for bx, by, bw, bh in avoid)  # fmt: skip
        if not hit:
            windows.append([x, y, w, h])
    return windows
