"""The open data sets as one list of records, and the split.

A record is one image with what its set says about it. Boxes are [x, y, width, height] in pixels of
the stored image. Nothing here reads pixels.
"""

import argparse
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

SPLIT_SEED = 20261122
# Shares of groups: train / tune (choices, early stopping, calibration) / report (figures only).
TRAIN_SHARE, TUNE_SHARE = 0.66, 0.12

CHEST_FINDINGS = [
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia",
    "Pneumothorax", "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
]  # fmt: skip
BOXED_CHEST_FINDINGS = CHEST_FINDINGS[:8]
LIMB_REGIONS = ["hand", "leg", "hip", "shoulder"]
LIMB_VIEWS = ["frontal", "lateral", "oblique"]


@dataclass
class Record:
    set: str  # fracatlas | busi | nih-cxr14
    file: str
    path: Path
    group: str  # unit of the split and of the bootstrap; the patient where the set knows him
    width: int
    height: int
    region: str
    view: str | None
    findings: dict[str, bool]  # only what the set says; an absent key is unknown
    boxes: list[tuple[str, list[float]]] = field(default_factory=list)
    hardware: bool = False

    @property
    def id(self) -> str:
        return f"{self.set}/{self.file}"

    @property
    def part(self) -> str:
        return part_of(self.set, self.group)


def part_of(set_name: str, group: str) -> str:
    """train, tune or report: a function of the group alone, so that no list has to be kept."""
    digest = hashlib.sha256(f"{SPLIT_SEED}|{set_name}|{group}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < TRAIN_SHARE:
        return "train"
    return "tune" if share < TRAIN_SHARE + TUNE_SHARE else "report"


def data_folder(argument: str | None = None) -> Path:
    """--data, else MEDITRON_SHARED_DATA, else ../shared/data beside the checkout."""
    if argument:
        return Path(argument)
    if os.environ.get("MEDITRON_SHARED_DATA"):
        return Path(os.environ["MEDITRON_SHARED_DATA"])
    return Path(__file__).resolve().parents[3] / "shared" / "data"


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", help="folder with fracatlas, busi, nih-cxr14 (env MEDITRON_SHARED_DATA)")
    parser.add_argument("--work", default="/tmp/train", help="caches, checkpoints and artefacts")
    return parser


def load_records(data: Path) -> list[Record]:
    return [*load_fracatlas(data), *load_busi(data), *load_chest(data)]


def read_tasks(data: Path, set_name: str) -> list[dict]:
    return json.loads((data / set_name / "tasks.json").read_text())


def load_fracatlas(data: Path) -> list[Record]:
    records = []
    for task in read_tasks(data, "fracatlas"):
        fractured = task["labels"] == ["fractured"]
        strata = task["strata"]
        records.append(
            Record(
                set="fracatlas", file=task["file"], path=data / "fracatlas/images" / task["file"],
                group=task["group"], width=task["width"], height=task["height"],
                region=strata["region"], view=strata["view"],
                findings={"fracture": fractured, "hardware": bool(strata["hardware"])},
                boxes=[("fracture", b["box"]) for b in task["boxes"]],
                hardware=bool(strata["hardware"]),
            )
        )
    return records


def load_busi(data: Path) -> list[Record]:
    records = []
    for task in read_tasks(data, "busi"):
        label = task["labels"][0]
        findings = {"lesion": label != "normal", "malignant": label == "malignant"}
        records.append(
            Record(
                set="busi", file=task["file"], path=data / "busi/images" / task["file"],
                group=task["group"], width=task["width"], height=task["height"],
                region="breast", view=None, findings=findings,
                boxes=[(label, b["box"]) for b in task["boxes"]],
            )
        )
    return records


def load_chest(data: Path) -> list[Record]:
    records = []
    for task in read_tasks(data, "nih-cxr14"):
        labels = set(task["labels"])
        findings = {name: name in labels for name in CHEST_FINDINGS}
        findings["abnormal"] = "No Finding" not in labels or len(labels) > 1
        records.append(
            Record(
                set="nih-cxr14", file=task["file"], path=data / "nih-cxr14/images" / task["file"],
                group=task["patient"], width=task["width"], height=task["height"],
                region="chest", view=task["strata"]["view"], findings=findings,
                boxes=[(b["name"], b["box"]) for b in task["boxes"]],
            )
        )
    return records
