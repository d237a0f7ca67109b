"""Compares this app's decoding of a folder of DICOM files with pydicom's, frame by frame.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install pydicom==3.0.2 numpy pylibjpeg pylibjpeg-libjpeg \
        pylibjpeg-openjpeg pylibjpeg-rle python-gdcm pyjpegls pillow
    /tmp/venv/bin/python test/bench/dicom/compare-with-pydicom.py CORPUS

Lossless codings: the SHA-256 of the stored values must be equal. Lossy ones: no sample may differ by more than two
levels. pydicom's pixels are put into the form that `meditron dicom check` hashes: one frame, colour by pixel, YBR of
the JPEG family as RGB, bits above High Bit masked, signed values extended. Prints a Markdown table.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import get_decoder
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

ROOT = Path(__file__).resolve().parents[3]
JPEG_FAMILY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 57, 70, 80, 81, 90, 91, 201, 202, 203)}
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81, 91, 203)}


def bundled(source, name):
    script = ROOT / ".cache" / "bench" / name
    bundle = ["npx", "rolldown", source, "--platform", "node", "--format", "esm", "-o", str(script)]
    subprocess.run(bundle, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return script


def ours(corpus, out):
    bundled("archive/dicom/codecs/decode-worker.ts", "decode-worker.js")
    script = bundled("test/bench/dicom/dump-frames.ts", "dump-frames.mjs")
    subprocess.run(["node", str(script), str(corpus), str(out)], check=True)
    with open(out / "lines.jsonl") as lines:
        return [json.loads(line) for line in lines]


def reference_frames(path):
    dataset = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    # The two corrections write into arrays that are read-only; stored_form does the same.
    options = {"raw": True, "apply_j2k_sign_correction": False, "apply_jls_sign_correction": False}
    for pixels, meta in get_decoder(syntax).iter_array(dataset, **options):
        pixels = np.array(pixels)
        colour = str(meta["photometric_interpretation"])
        if syntax in JPEG_FAMILY and pixels.ndim == 3 and colour.startswith("YBR_FULL"):
            pixels = convert_color_space(pixels, "YBR_FULL", "RGB")
        yield stored_form(pixels, dataset)


def stored_form(pixels, dataset):
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return np.ascontiguousarray(pixels)
    bits = int(dataset.HighBit) + 1
    signed = int(dataset.PixelRepresentation) == 1
    values = pixels.astype(np.int64) & ((1 << bits) - 1)
    if signed:
        values = np.where(values >= 1 << (bits - 1), values - (1 << bits), values)
    width = max(8, int(dataset.BitsAllocated)) // 8
    return np.ascontiguousarray(values.astype(f"<{'i' if signed else 'u'}{width}"))


def compare(line, corpus, out):
    """The outcome of one file, its frames that agree and its frames that pydicom decodes."""
    try:
        reference = list(reference_frames(os.path.join(corpus, line["file"])))
    except Exception:
        return ("only here" if line["framesDecoded"] else "neither"), 0, 0
    agree = 0
    for frame, sha in zip(reference, line["sha256"]):
        if hashlib.sha256(frame.tobytes()).hexdigest() == sha:
            agree += 1
        elif line["transferSyntax"] in LOSSY:
            mine = np.fromfile(out / sha, dtype=frame.dtype)
            if mine.size == frame.size:
                agree += int(np.abs(mine.astype(np.int64) - frame.ravel().astype(np.int64)).max() <= 2)
    return ("agrees" if agree == len(reference) else "differs"), agree, len(reference)


def main(corpus):
    table = defaultdict(Counter)
    frames = defaultdict(lambda: [0, 0])
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        lines = [line for line in ours(Path(corpus), out) if not line["file"].endswith((".json", ".md"))]
        for line in lines:
            syntax = line["transferSyntax"] or "none"
            if line["status"] == "no-pixels":
                table[syntax]["no pixels"] += 1
                continue
            outcome, agree, total = compare(line, corpus, out)
            table[syntax][outcome] += 1
            frames[syntax][0] += agree
            frames[syntax][1] += total
            if outcome != "agrees":
                notes.append((line["file"], outcome, (line["error"] or {}).get("code", "")))
    columns = ["agrees", "differs", "only here", "neither", "no pixels"]
    print("| transfer syntax | " + " | ".join(columns) + " | frames that agree |")
    print("|---|" + "---|" * (len(columns) + 1))
    for syntax in sorted(table):
        cells = " | ".join(str(table[syntax][column] or "") for column in columns)
        print(f"| {syntax} | {cells} | {frames[syntax][0]} of {frames[syntax][1]} |")
    totals = Counter()
    for counts in table.values():
        totals.update(counts)
    agree, total = (sum(pair[i] for pair in frames.values()) for i in (0, 1))
    print(f"| all | {' | '.join(str(totals[column] or '') for column in columns)} | {agree} of {total} |")
    print()
    for name, outcome, code in notes:
        print(f"- `{name}`: {outcome}{', ' + code if code else ''}")


main(sys.argv[1])
