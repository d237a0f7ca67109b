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
from encoder import GRID, HIDDEN, KINDS, KINDS_AT, LABELS, LOUDEST, MAPS_AT, PLACES, SPOKEN_AT, STEM_BLOCKS, X16_BLOCK, SameConv, Vision
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


def see(g: Graph, fused: str, maps: str, vision: Vision) -> str:
    """-> label logits"""
    spatial = g.integers([2, 3])
    average, highest = pool(g, "AveragePool", fused, 4), pool(g, "MaxPool", fused, 4)

    def reduce(kind, x):
        return g.op(kind, x, spatial, keepdims=0)

    pooled = [reduce("ReduceMean", average), reduce("ReduceMax", average), reduce("ReduceMean", highest), reduce("ReduceMax", highest)]
    peak = g.op("Mul", reduce("ReduceMax", maps), g.number(0.25))
    return g.linear(g.op("Concat", *pooled, peak, axis=1), vision.labels)


def speak(g: Graph, labels: str, maps: str, vision: Vision) -> str:
    """-> image embeddings; Vision.decide and Vision.speak"""
    kind = g.op("Softmax", g.op("Gather", labels, g.integers(KINDS_AT), axis=1), axis=1)
    shown = g.op("Slice", kind, g.integers([0]), g.integers([len(SPOKEN_AT)]), g.integers([1]))
    shown = g.op("Unsqueeze", shown, g.integers([2]))  # [n, 3, 1]

    def of_kind(rows):  # [n, 3, 49] -> [n, 49]
        return g.op("ReduceSum", g.op("Mul", shown, rows), g.integers([1]), keepdims=0)

    cells = g.op("Reshape", pool(g, "MaxPool", maps, 4), g.integers([0, 0, PLACES]))
    places = [g.op("ReduceMax", g.op("Gather", cells, g.integers(at), axis=1), g.integers([1]), keepdims=1) for at in MAPS_AT]
    place = of_kind(g.op("Softmax", g.op("Concat", *places, axis=1), axis=2))
    bits = g.op("Add", g.op("Mul", labels, g.weight(vision.said_scale)), g.weight(vision.said_shift))
    bits = g.op("Clip", bits, g.number(-LOUDEST), g.number(LOUDEST))
    told = g.op("Gather", bits, g.integers([k for row in SPOKEN_AT for k in row]), axis=1)
    told = of_kind(g.op("Reshape", told, g.integers([0, len(SPOKEN_AT), PLACES])))
    word = g.op("Reshape", g.op("MatMul", kind, g.weight(vision.spoken_word.flatten(1))), g.integers([0, PLACES, HIDDEN]))
    spoken = g.op("Add", word, g.op("Mul", g.op("Unsqueeze", told, g.integers([2])), g.weight(vision.spoken_sign)))
    quiet = g.op("Mul", bits, g.op("MatMul", kind, g.weight(vision.quiet_of)))
    quiet = g.op("Add", g.op("MatMul", quiet, g.weight(vision.quiet_words)), g.op("MatMul", place, g.weight(vision.place_words)))
    return g.op("Add", spoken, g.op("Unsqueeze", g.op("Add", quiet, g.weight(vision.base)), g.integers([1])))


def vision_graph(vision: Vision) -> onnx.ModelProto:
    g = Graph()
    g.zero, g.six = g.number(0), g.number(6)
    fused, maps = neck(g, lite0(g, "pixel_values", vision), vision)
    tokens = speak(g, see(g, fused, maps, vision), maps, vision)
    g.nodes.append(helper.make_node("Identity", [tokens], ["image_embeddings"]))
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
