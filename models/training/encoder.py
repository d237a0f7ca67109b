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
    "AP", "limb", "breast", "chest", "blank",
]  # fmt: skip
NECK, HIDDEN, GRID = 160, 576, 7
PLACES = GRID * GRID
# On each kind of image every token speaks of one finding: its word, and as much of yes or no as the encoder says.
KINDS = ["limb", "breast", "chest", "blank"]
OTHER_CHEST_FINDINGS = CHEST_FINDINGS[len(BOXED_CHEST_FINDINGS) :]
SPOKEN = [
    (["fracture", "fracture", "hardware", "fracture"] * 13)[:PLACES],
    (["malignant", "lesion"] * 25)[:PLACES],
    (["abnormal", *BOXED_CHEST_FINDINGS, "abnormal", *OTHER_CHEST_FINDINGS] * 4)[:PLACES],
]
SPOKEN_AT = [[LABELS.index(n) for n in names] for names in SPOKEN]
KINDS_AT = [LABELS.index(n) for n in KINDS]
# Which maps tell where the finding of a kind is.
MAPS_AT = [[DENSE.index("fracture")], [DENSE.index("benign"), DENSE.index("malignant")], [DENSE.index(n) for n in BOXED_CHEST_FINDINGS]]
LOUDEST = 3.0  # of a spoken bit; a bit is half of the calibrated logit
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
GAIN = 12.0  # how loud the loudest yes and no are, in lengths of the difference between the two words
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
    """What the encoder decides (see), and how it tells the language model (speak)."""

    def __init__(self):
        super().__init__()
        self.lite0 = Lite0()
        self.neck = Neck()
        self.labels = nn.Linear(4 * NECK + len(DENSE), len(LABELS))
        # Calibration of the label logits on the tune part: bit = logit * scale + shift.
        self.register_buffer("said_scale", torch.full((len(LABELS),), 0.5))
        self.register_buffer("said_shift", torch.zeros(len(LABELS)))
        # The words, from the language model's own embedding (start_at_words). None of them is trained.
        self.register_buffer("base", torch.zeros(HIDDEN))
        self.register_buffer("spoken_word", torch.zeros(len(KINDS), PLACES, HIDDEN))
        self.register_buffer("spoken_sign", torch.zeros(HIDDEN))
        self.register_buffer("quiet_words", torch.zeros(len(LABELS), HIDDEN))
        self.register_buffer("quiet_of", torch.zeros(len(KINDS), len(LABELS)))  # 1 where a kind has such a label
        self.register_buffer("place_words", torch.zeros(PLACES, HIDDEN))

    def see(self, x8):
        """x8 [n, 40, 56, 56] -> label logits [n, labels], maps [n, dense, 28, 28]"""
        fused, maps = self.neck(x8, *self.lite0.high(x8))
        average, highest = F.avg_pool2d(fused, 4), F.max_pool2d(fused, 4)
        pooled = [average.mean((2, 3)), average.amax((2, 3)), highest.mean((2, 3)), highest.amax((2, 3))]
        return self.labels(torch.cat([*pooled, maps.amax((2, 3)) * 0.25], 1)), maps

    def decide(self, labels, maps):
        """-> kind [n, 4] and place [n, 49], which sum to 1; bits [n, labels]"""
        kind = torch.softmax(labels[:, KINDS_AT], 1)
        cells = F.max_pool2d(maps, 4).flatten(2)
        place = torch.stack([torch.softmax(cells[:, at].amax(1), 1) for at in MAPS_AT], 1)
        place = (kind[:, : len(MAPS_AT), None] * place).sum(1)
        bits = (labels * self.said_scale + self.said_shift).clamp(-LOUDEST, LOUDEST)
        return kind, place, bits

    def speak(self, kind, place, bits):
        """-> tokens [n, 49, 576]"""
        told = (kind[:, : len(SPOKEN_AT), None] * bits[:, SPOKEN_AT]).sum(1)
        spoken = torch.einsum("nk,kth->nth", kind, self.spoken_word) + told[..., None] * self.spoken_sign
        quiet = (bits * (kind @ self.quiet_of)) @ self.quiet_words
        return spoken + (quiet + place @ self.place_words + self.base)[:, None]

    def forward(self, pixels):
        return self.speak(*self.decide(*self.see(self.lite0.low(pixels))))


WORDS = {
    "lesion": " lesion", "malignant": " malignant", "AP": " AP", "limb": " bone", "blank": " nothing",
    "Effusion": " effusion", "Cardiomegaly": " heart", "Infiltration": " infiltrate", "Mass": " mass", "Nodule": " nodule",
    "Pleural_Thickening": " thickening", "hardware": " metal",
}  # fmt: skip
QUIET = [[*LIMB_REGIONS, *LIMB_VIEWS], [], ["AP"], []]  # of each kind, what every token also says, less loud
COLUMNS, ROWS = [" left", " centre", " right"], [" upper", " middle", " lower"]


def start_at_words(vision: Vision, encode, embedding: torch.Tensor) -> None:
    """Builds the tokens from the language model's own words, so that it can read them from the start."""
    centre = embedding.mean(0)

    def direction(word: str):
        return embedding[encode(word)].mean(0) - centre

    def named(label: str):
        return direction(WORDS.get(label, " " + label.lower().replace("_", " ")))

    with torch.no_grad():
        vision.base.copy_(centre)
        vision.spoken_sign.copy_((direction(" Yes") - direction(" No")) * GAIN / LOUDEST)
        for k, kind in enumerate(KINDS):
            names = SPOKEN[k] if k < len(SPOKEN) else [kind] * PLACES
            vision.spoken_word[k] = torch.stack([named(n) + named(kind) for n in names])
        for k, names in enumerate(QUIET):
            for name in names:
                vision.quiet_words[LABELS.index(name)] = named(name) * 0.1
                vision.quiet_of[k, LABELS.index(name)] = 1
        rows = [direction(ROWS[y * 3 // GRID]) + direction(COLUMNS[x * 3 // GRID]) for y in range(GRID) for x in range(GRID)]
        vision.place_words.copy_(torch.stack(rows) * 0.3)
