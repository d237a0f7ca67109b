"""Writes the artefacts of the pack from WORK/nano.pt to WORK/out.

vision.onnx with vision.bin (weights fp16, cast to fp32 in the graph), adapter.safetensors (fp16),
image.json; checks the graph in ONNX Runtime against torch; READY is written last.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from data import arguments
from encoder import GRID, HIDDEN, KINDS, KINDS_AT, LABELS, LOUDEST, NECK, SPOKEN_AT, STEM_BLOCKS, X16_BLOCK, SameConv, Vision
from image import MEAN, PAD_VALUE, SIZE, STD
from lm import LINEARS

OPSET = 21


class Graph:
    """A small builder: every method adds one node and returns the name of its output."""

    def __init__(self):
        self.nodes, self.initializers, self.count = [], [], 0

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        self.count += 1
        out = f"{kind.lower()}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def weight(self, values: torch.Tensor) -> str:
        """Stored as fp16, cast in the graph (folded when the session is made)."""
        self.count += 1
        name = f"w{self.count}"
        self.initializers.append(numpy_helper.from_array(values.detach().numpy().astype(np.float16), name))
        return self.op("Cast", name, to=TensorProto.FLOAT)

    def integers(self, values: list[int]) -> str:
        self.count += 1
        name = f"i{self.count}"
        self.initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def number(self, value: float) -> str:
        self.count += 1
        name = f"f{self.count}"
        self.initializers.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def conv(self, x: str, conv: torch.nn.Conv2d, size: int) -> tuple[str, int]:
        pads = conv.same_pads(size, size) if isinstance(conv, SameConv) else (conv.padding[0],) * 4
        y = self.op("Conv", x, self.weight(conv.weight), self.weight(conv.bias), pads=list(pads),
                    strides=list(conv.stride), group=conv.groups, kernel_shape=list(conv.kernel_size))  # fmt: skip
        return y, -(-size // conv.stride[0])

    def relu6(self, x: str) -> str:
        return self.op("Clip", x, self.zero, self.six)

    def linear(self, x: str, layer: torch.nn.Linear) -> str:
        y = self.op("MatMul", x, self.weight(layer.weight.T.contiguous()))
        return y if layer.bias is None else self.op("Add", y, self.weight(layer.bias))


def lite0(g: Graph, x: str, vision: Vision) -> tuple[str, str, str]:
    x, size = g.conv(x, vision.lite0.stem, SIZE)
    x = g.relu6(x)
    maps = {}
    for i, block in enumerate(vision.lite0.blocks):
        y = x
        if block.expand is not None:
            y, _ = g.conv(y, block.expand, size)
            y = g.relu6(y)
        y, after = g.conv(y, block.depthwise, size)
        y, _ = g.conv(g.relu6(y), block.project, after)
        x, size = (g.op("Add", x, y) if block.skip else y), after
        maps[i] = x
    return maps[STEM_BLOCKS - 1], maps[X16_BLOCK], x


def pool(g: Graph, kind: str, x: str, k: int) -> str:
    return g.op(kind, x, kernel_shape=[k, k], strides=[k, k])


def neck(g: Graph, maps: tuple[str, str, str], vision: Vision) -> tuple[str, str]:
    n = vision.neck
    x8, x16, x32 = maps
    fine = g.op("Concat", pool(g, "AveragePool", x8, 2), pool(g, "MaxPool", x8, 2), axis=1)
    coarse, _ = g.conv(x32, n.from32, 14)
    scales = g.op("Constant", value=numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32)))
    coarse = g.op("Resize", coarse, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    summed = g.op("Add", g.op("Add", g.conv(fine, n.from8, 28)[0], g.conv(x16, n.from16, 28)[0]), coarse)
    x = g.op("Gelu", summed)
    x = g.op("Add", x, g.op("Gelu", g.conv(x, n.mix, 28)[0]))
    return x, g.conv(x, n.dense, 28)[0]


def projector(g: Graph, fused: str, dense: str, vision: Vision) -> str:
    spatial = g.integers([2, 3])
    quarter = g.number(0.25)
    highest, average, logits = pool(g, "MaxPool", fused, 4), pool(g, "AveragePool", fused, 4), pool(g, "MaxPool", dense, 4)

    def reduce(kind, x):
        return g.op(kind, x, spatial, keepdims=0)

    peak = reduce("ReduceMax", logits)
    pooled = [reduce("ReduceMean", average), reduce("ReduceMax", average), reduce("ReduceMean", highest), reduce("ReduceMax", highest)]
    labels = g.linear(g.op("Concat", *pooled, g.op("Mul", peak, quarter), axis=1), vision.labels)
    image = g.op("Mul", g.op("Concat", labels, peak, axis=1), quarter)
    kind = g.op("Softmax", g.op("Mul", g.op("Gather", image, g.integers(KINDS_AT), axis=1), g.number(8)), axis=1)
    kind = g.op("Unsqueeze", kind, g.integers([2]))  # [n, 3, 1]
    shown = g.op("Slice", image, g.integers([0]), g.integers([len(LABELS)]), g.integers([1]))
    said = g.op("Add", g.op("Mul", shown, g.weight(vision.said_scale)), g.weight(vision.said_shift))
    said = g.op("Clip", said, g.number(-LOUDEST), g.number(LOUDEST))
    said = g.op("Reshape", g.op("Gather", said, g.integers([k for row in SPOKEN_AT for k in row]), axis=1), g.integers([0, len(KINDS), GRID * GRID]))
    bits = g.op("Unsqueeze", g.op("ReduceSum", g.op("Mul", kind, said), g.integers([1]), keepdims=0), g.integers([2]))
    word = g.op("MatMul", g.op("Squeeze", kind, g.integers([2])), g.weight(vision.spoken_word.flatten(1)))
    word = g.op("Reshape", word, g.integers([0, GRID * GRID, HIDDEN]))
    spoken = g.op("Add", word, g.op("Mul", bits, g.weight(vision.spoken_sign)))
    image = g.op("Unsqueeze", image, g.integers([1]))
    rows = g.op("Concat", highest, average, g.op("Mul", logits, quarter), axis=1)
    rows = g.op("Reshape", rows, g.integers([0, vision.project_cell.in_features, GRID * GRID]))
    cells = g.op("Transpose", rows, perm=[0, 2, 1])
    local = g.op("Slice", cells, g.integers([2 * NECK]), g.integers([2**31 - 1]), g.integers([2]))
    hidden = g.op("Add", g.op("Add", g.linear(cells, vision.project_cell), g.linear(image, vision.project_image)), g.weight(vision.position))
    words = g.op("Add", g.linear(image, vision.image_words), g.linear(local, vision.cell_words))
    return g.op("Add", g.op("Add", g.linear(g.op("Gelu", hidden), vision.project_out), words), spoken)


def vision_graph(vision: Vision) -> onnx.ModelProto:
    g = Graph()
    g.zero, g.six = g.number(0), g.number(6)
    fused, dense = neck(g, lite0(g, "pixel_values", vision), vision)
    g.nodes.append(helper.make_node("Identity", [projector(g, fused, dense, vision)], ["image_embeddings"]))
    graph = helper.make_graph(
        g.nodes, "vision",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("image_embeddings", TensorProto.FLOAT, ["n", GRID * GRID, HIDDEN])],
        g.initializers,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10, producer_name="meditron-training")


def write_vision(vision: Vision, out: Path) -> None:
    model = vision_graph(vision)
    onnx.checker.check_model(model)
    (out / "vision.bin").unlink(missing_ok=True)
    onnx.save_model(model, out / "vision.onnx", save_as_external_data=True, all_tensors_to_one_file=True,
                    location="vision.bin", size_threshold=1024)  # fmt: skip


def write_adapter(state: dict[str, torch.Tensor], out: Path) -> None:
    tensors = {}
    for name, value in state.items():
        if value.abs().max() < 65000:
            tensors[name] = value.numpy().astype(np.float16)
    assert len(tensors) == len(state) and len(tensors) % (2 * len(LINEARS)) == 0
    save_file(tensors, out / "adapter.safetensors", {"format": "lora", "scale": "folded into lora_B"})


def compare(vision: Vision, out: Path) -> float:
    """Largest difference between ONNX Runtime and torch, relative to the largest value. Weights of both are rounded to fp16."""
    session = onnxruntime.InferenceSession(out / "vision.onnx", providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).normal(0, 1, (2, 3, SIZE, SIZE)).astype(np.float32)
    ours = session.run(None, {"pixel_values": pixels})[0]
    with torch.inference_mode():
        theirs = vision(torch.from_numpy(pixels)).numpy()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def round_to_fp16(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for p in [*module.parameters(), *module.buffers()]:
            p.copy_(p.half().float())


def image_block() -> dict:
    return {
        "height": SIZE, "width": SIZE, "tokens": GRID * GRID, "grid": [GRID, GRID], "resize": "pad",
        "interpolation": "bilinear-antialias", "mean": [MEAN] * 3, "std": [STD] * 3, "pad_value": PAD_VALUE,
        "channels": "gray-replicated",
    }  # fmt: skip


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    work = Path(options.work)
    out = work / "out"
    out.mkdir(exist_ok=True)
    (out / "READY").unlink(missing_ok=True)
    state = torch.load(work / "nano.pt", weights_only=True)
    vision = Vision()
    vision.load_state_dict(state["vision"])
    round_to_fp16(vision)
    vision.eval()
    write_vision(vision, out)
    write_adapter(state["lora"], out)
    (out / "image.json").write_text(json.dumps(image_block(), indent=2) + "\n")
    difference = compare(vision, out)
    print(f"vision.onnx against torch: {difference:.2e}; labels {len(LABELS)}; {state['notes']}")
    if not math.isfinite(difference) or difference > 1e-3:
        raise SystemExit("vision.onnx does not agree with torch")
    lines = []
    for path in sorted(p for p in out.iterdir() if p.is_file()):
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.stat().st_size:>9}  {path.name}")
    print("\n".join(lines))
    (out / "READY").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
