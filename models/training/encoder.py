"""The vision side: EfficientNet-Lite0 with a neck, auxiliary heads and the projector.

Shapes for 448 px: x8 [n, 40, 56, 56], x16 [n, 112, 28, 28], x32 [n, 320, 14, 14], fused map
[n, 160, 28, 28], tokens [n, 49, 576] in a 7 x 7 grid, row-major.
"""

import torch
import torch.nn.functional as F
from torch import nn

from data import BOXED_CHEST_FINDINGS, CHEST_FINDINGS, LIMB_REGIONS, LIMB_VIEWS

DENSE = ["fracture", "benign", "malignant", *BOXED_CHEST_FINDINGS]
LABELS = [
    "fracture", "lesion", "malignant", "hardware", *CHEST_FINDINGS, "abnormal", *LIMB_REGIONS, *LIMB_VIEWS,
    "AP", "limb", "breast", "chest",
]  # fmt: skip
NECK, HIDDEN, GRID = 160, 576, 7
# On each kind of image the 49 places speak of the findings asked about there, most of all of the main one:
# its word, and yes or no. A language model this small learns to read one loud answer, not to look one up.
KINDS = ["limb", "breast", "chest"]
SPOKEN = [
    ["fracture"] * 49,
    [*["malignant", "malignant", "malignant", "lesion"] * 12, "malignant"],
    [name for pair in zip(["abnormal"] * 25, (BOXED_CHEST_FINDINGS * 4)[:25], strict=True) for name in pair][:49],
]
SPOKEN_AT = [[LABELS.index(n) for n in names] for names in SPOKEN]
KINDS_AT = [LABELS.index(n) for n in KINDS]
LOUDEST = 2.5  # deviations
# (kernel, stride, expand ratio, in, out) of the 16 blocks of EfficientNet-Lite0.
BLOCKS = [
    (3, 1, 1, 32, 16),
    (3, 2, 6, 16, 24), (3, 1, 6, 24, 24),
    (5, 2, 6, 24, 40), (5, 1, 6, 40, 40),
    (3, 2, 6, 40, 80), (3, 1, 6, 80, 80), (3, 1, 6, 80, 80),
    (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192),
    (3, 1, 6, 192, 320),
]  # fmt: skip
# Loud enough that the untrained language model already leans by it (at 2: 1.3 nats between 1.5 deviations up and down).
GAIN = 4.0
STEM_BLOCKS = 5  # stem and blocks 0..4 stay frozen: their output x8 is cached
X16_BLOCK = 10


class SameConv(nn.Conv2d):
    """TensorFlow's SAME padding: at stride 2 the odd pixel goes to the bottom and the right."""

    def same_pads(self, height: int, width: int) -> tuple[int, int, int, int]:
        pads = []
        for n in (height, width):
            k, s = self.kernel_size[0], self.stride[0]
            total = max((-(-n // s) - 1) * s + k - n, 0)
            pads.append((total // 2, total - total // 2))
        return pads[0][0], pads[1][0], pads[0][1], pads[1][1]  # top, left, bottom, right

    def forward(self, x):
        top, left, bottom, right = self.same_pads(x.shape[2], x.shape[3])
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), 1, self.groups)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride, 0, 1, self.groups)


class Block(nn.Module):
    def __init__(self, kernel: int, stride: int, expand: int, c_in: int, c_out: int):
        super().__init__()
        mid = c_in * expand
        self.expand = SameConv(c_in, mid, 1) if expand > 1 else None
        self.depthwise = SameConv(mid, mid, kernel, stride, groups=mid)
        self.project = SameConv(mid, c_out, 1)
        self.skip = stride == 1 and c_in == c_out

    def forward(self, x):
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.skip else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 without its classifier, batch norm folded into the convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.blocks = nn.ModuleList(Block(*b) for b in BLOCKS)

    def load_pretrained(self, path: str) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        fold(self.stem, state, "_conv_stem", "_bn0")
        for i, block in enumerate(self.blocks):
            at = f"_blocks.{i}."
            if block.expand is not None:
                fold(block.expand, state, at + "_expand_conv", at + "_bn0")
            fold(block.depthwise, state, at + "_depthwise_conv", at + "_bn1")
            fold(block.project, state, at + "_project_conv", at + "_bn2")

    def low(self, pixels):
        x = F.relu6(self.stem(pixels))
        for block in self.blocks[:STEM_BLOCKS]:
            x = block(x)
        return x

    def high(self, x8):
        x = x8
        for i in range(STEM_BLOCKS, len(self.blocks)):
            x = self.blocks[i](x)
            if i == X16_BLOCK:
                x16 = x
        return x16, x


def fold(conv: nn.Conv2d, state: dict, conv_name: str, norm: str) -> None:
    scale = state[norm + ".weight"] / torch.sqrt(state[norm + ".running_var"] + 1e-3)
    with torch.no_grad():
        conv.weight.copy_(state[conv_name + ".weight"] * scale[:, None, None, None])
        conv.bias.copy_(state[norm + ".bias"] - state[norm + ".running_mean"] * scale)


class Neck(nn.Module):
    """Fuses the three strides on the stride-16 grid, so that a fracture of a few pixels survives."""

    def __init__(self):
        super().__init__()
        self.from8 = nn.Conv2d(80, NECK, 1)
        self.from16 = nn.Conv2d(112, NECK, 1)
        self.from32 = nn.Conv2d(320, NECK, 1)
        self.mix = nn.Conv2d(NECK, NECK, 1)
        self.dense = nn.Conv2d(NECK, len(DENSE), 1)
        nn.init.constant_(self.dense.bias, -4)

    def forward(self, x8, x16, x32):
        fine = torch.cat([F.avg_pool2d(x8, 2), F.max_pool2d(x8, 2)], 1)
        coarse = F.interpolate(self.from32(x32), scale_factor=2, mode="nearest")
        x = F.gelu(self.from8(fine) + self.from16(x16) + coarse)
        x = x + F.gelu(self.mix(x))
        return x, self.dense(x)


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.lite0 = Lite0()
        self.neck = Neck()
        cell = 2 * NECK + len(DENSE)
        self.labels = nn.Linear(2 * NECK * 2 + len(DENSE), len(LABELS))
        self.project_cell = nn.Linear(cell, HIDDEN)
        self.project_image = nn.Linear(len(LABELS) + len(DENSE), HIDDEN, bias=False)
        self.position = nn.Parameter(torch.randn(GRID * GRID, HIDDEN) * 0.02)
        self.project_out = nn.Linear(HIDDEN, HIDDEN)
        # A straight way for findings, starting at the language model's own words for them.
        self.image_words = nn.Linear(len(LABELS) + len(DENSE), HIDDEN, bias=False)
        self.cell_words = nn.Linear(len(DENSE), HIDDEN, bias=False)
        # Each place of the grid also speaks of one finding of the whole image: its word, and yes or no.
        self.spoken_word = nn.Parameter(torch.zeros(len(KINDS), GRID * GRID, HIDDEN))
        self.spoken_sign = nn.Parameter(torch.zeros(HIDDEN))
        self.register_buffer("said_scale", torch.ones(len(LABELS)))
        self.register_buffer("said_shift", torch.zeros(len(LABELS)))

    def cells(self, x8, x16, x32):
        """-> cells [n, 49, cell], image [n, labels + dense], dense [n, d, 28, 28]"""
        fused, dense = self.neck(x8, x16, x32)
        highest = F.max_pool2d(fused, 4)
        average = F.avg_pool2d(fused, 4)
        logits = F.max_pool2d(dense, 4)
        peak = logits.amax((2, 3))
        pooled = torch.cat([average.mean((2, 3)), average.amax((2, 3)), highest.mean((2, 3)), highest.amax((2, 3))], 1)
        labels = self.labels(torch.cat([pooled, peak * 0.25], 1))
        cells = torch.cat([highest, average, logits * 0.25], 1).flatten(2).transpose(1, 2)
        return cells, torch.cat([labels, peak], 1) * 0.25, dense

    def tokens(self, cells, image):
        """-> [n, 49, 576]"""
        hidden = self.project_cell(cells) + self.project_image(image)[:, None] + self.position
        words = self.image_words(image)[:, None] + self.cell_words(cells[..., 2 * NECK :])
        kind = torch.softmax(image[:, KINDS_AT] * 8, 1)
        said = (image[:, : len(LABELS)] * self.said_scale + self.said_shift).clamp(-LOUDEST, LOUDEST)
        bits = (kind[:, :, None] * said[:, SPOKEN_AT]).sum(1)
        spoken = torch.einsum("nk,kth->nth", kind, self.spoken_word) + bits[..., None] * self.spoken_sign
        return self.project_out(F.gelu(hidden)) + words + spoken

    def forward(self, pixels):
        x8 = self.lite0.low(pixels)
        cells, image, _ = self.cells(x8, *self.lite0.high(x8))
        return self.tokens(cells, image)


WORDS = {
    "lesion": " lesion", "malignant": " malignant", "benign": " benign", "AP": " AP", "limb": " bone",
    "Effusion": " fluid", "Cardiomegaly": " heart", "Infiltration": " infiltr", "Mass": " mass", "Nodule": " nod",
    "Pleural_Thickening": " thickening", "Pneumothorax": " air", "hardware": " metal",
}  # fmt: skip


def start_at_words(vision: Vision, words: tuple, stats: tuple) -> None:
    """Builds the projector from the language model's own words, so that it can read the tokens from the start.

    words: (encode, embedding); stats: threshold and deviation of the label logits (of `image`), mean and deviation
    of the cells' dense part.
    """
    encode, embedding = words
    (threshold, deviation), (cell_mean, cell_std) = stats
    centre = embedding.mean(0)

    def direction(name: str):
        return embedding[encode(WORDS.get(name, " " + name.lower()))].mean(0) - centre

    with torch.no_grad():
        quiet = torch.stack([direction(n) for n in LABELS], 1) * 0.15 / deviation
        vision.image_words.weight.zero_()
        vision.image_words.weight[:, : len(LABELS)] = quiet
        cell_words = torch.stack([direction(n) for n in DENSE], 1) * 0.15 / cell_std
        vision.cell_words.weight.copy_(cell_words)
        yes, no = embedding[encode(" Yes")].mean(0), embedding[encode(" No")].mean(0)
        vision.spoken_sign.copy_((yes - no) * GAIN)
        vision.spoken_word.copy_(torch.stack([torch.stack([direction(n) for n in names]) for names in SPOKEN]))
        vision.said_scale.copy_(1 / deviation)
        vision.said_shift.copy_(-threshold / deviation)
        vision.project_image.weight.zero_()
        vision.position.normal_(0, 0.5)
        vision.project_out.weight.normal_(0, 0.15 * embedding.std().item() / HIDDEN**0.5)
        vision.project_out.bias.copy_(centre - quiet @ threshold - cell_words @ cell_mean)


def label_logits(image):
    return image[:, : len(LABELS)] * 4
