"""onnxruntime-genai on the CPU, on a folder that its model builder wrote (genai_config.json, model.onnx).

Speaks as serve-rounds.mjs says. PyPI: onnxruntime-genai, numpy.
"""

import json
import resource
import sys
import time

task = json.loads(sys.argv[1])


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


try:
    import onnxruntime_genai as og
except ImportError as missing:
    say({"missing": f"{missing}: pip install onnxruntime-genai, or --python"})
    sys.exit(1)


def tokens(count: int) -> list[int]:
    return [(i * 7919 + 101) % 250 + 10 for i in range(count)]


def timed(work) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def run(model, ids: list[int], steps: int) -> tuple[float, list[float]]:
    """Milliseconds until the first token, and of each further one."""
    params = og.GeneratorParams(model)
    length = len(ids) + steps + 2
    params.set_search_options(do_sample=False, max_length=length, min_length=length)
    generator = og.Generator(model, params)

    def first() -> None:
        generator.append_tokens([ids])
        generator.generate_next_token()

    return timed(first), [timed(generator.generate_next_token) for _ in range(steps)]


try:
    config = og.Config(task["model"])
    options = {"model": {"decoder": {"session_options": {"intra_op_num_threads": task["threads"]}}}}
    config.overlay(json.dumps(options))
    model = og.Model(config)
except Exception as error:  # noqa: BLE001: what the engine says is passed on
    say({"error": str(error)})
    sys.exit(1)
say({"ready": {"version": f"onnxruntime-genai {og.__version__}"}})

for line in sys.stdin:
    if line.strip() != "round":
        continue
    try:
        figures = {}
        if task["prompt"] > 0:
            figures[f"prefill@{task['prompt']}"] = 1000 * task["prompt"] / run(model, tokens(task["prompt"]), 0)[0]
        for context in task["contexts"]:
            times = sorted(run(model, tokens(context), task["decoded"])[1])
            figures[f"decode@{context}"] = 1000 / times[len(times) // 2]
        figures["rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        say({"figures": figures})
    except Exception as error:  # noqa: BLE001
        say({"error": str(error)})
