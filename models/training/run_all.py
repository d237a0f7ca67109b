"""The whole recipe in order. A step is left out when what it writes exists; the first step that fails ends the run.

python models/training/run_all.py --work DIR --data DIR
"""

import os
import subprocess
import sys
from pathlib import Path

from data import arguments, data_folder

STEPS = [
    ("features.py", "cache/DONE"),
    ("train_vision.py", "vision.pt"),
    ("train_language.py", "lora.pt"),
    ("calibrate.py", "nano.pt"),
    ("evaluate.py", "figures.json"),
    ("export.py", "out/READY"),
    ("card.py", "out/card.json"),
]


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    work, here = Path(options.work), Path(__file__).parent
    base = work / "base.gguf"
    if not base.exists():
        raise SystemExit(f"{base} is missing: the language model, see README.md")
    for script, written in STEPS:
        if (work / written).exists():
            print(f"{script}: {written} exists", flush=True)
            continue
        command = [sys.executable, here / script, "--work", work, "--data", data_folder(options.data)]
        print(f"{script} …", flush=True)
        # One thread: with other work on the machine, waiting threads burn most of the time.
        status = subprocess.run([str(c) for c in command], env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}).returncode
        if status != 0:
            raise SystemExit(f"{script} failed ({status})")


if __name__ == "__main__":
    main()
