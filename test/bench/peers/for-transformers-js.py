"""Lays a folder of onnxruntime-genai's model builder out as transformers.js reads it: the same graph and weights.

    pip install onnx onnxruntime-genai onnx-ir torch transformers
    python -m onnxruntime_genai.models.builder -i CHECKPOINT -o BUILT -p int4 -e cpu --extra_options int4_block_size=32 int4_accuracy_level=4
    python test/bench/peers/for-transformers-js.py CHECKPOINT BUILT TARGET

transformers.js makes its first, empty cache by the shapes of the graph's inputs, in which the head size must be a number.
"""

import json
import shutil
import sys
from pathlib import Path

import onnx

checkpoint, built, target = map(Path, sys.argv[1:4])
(target / "onnx").mkdir(parents=True, exist_ok=True)
for name in ["config.json", "tokenizer.json", "tokenizer_config.json"]:
    shutil.copyfile(checkpoint / name, target / name)
head_size = json.loads((built / "genai_config.json").read_text())["model"]["decoder"]["head_size"]
model = onnx.load(built / "model.onnx", load_external_data=False)
for value in [*model.graph.input, *model.graph.output]:
    if value.name.startswith(("past_key_values", "present")):
        print(value.name, [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim])
        value.type.tensor_type.shape.dim[3].dim_value = head_size
onnx.save(model, target / "onnx" / "model_q4.onnx")
shutil.copyfile(built / "model.onnx.data", target / "onnx" / "model.onnx.data")
shutil.copyfile(built / "model.onnx.data", target / "onnx" / "model_q4.onnx_data")
