"""Reads what features.py wrote."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data import Record
from features import WIDTH, plan, split_maps


@dataclass
class Item:
    at: int
    record: Record
    kind: str
    boxes: list[tuple[str, list[float]]]  # in the fitted image
    findings: dict[str, bool]


class FeatureCache:
    def __init__(self, work: Path, records: list[Record]):
        by_id = {r.id: r for r in records}
        self.items: list[Item] = []
        for path in sorted((work / "cache").glob("items-*.jsonl")):
            for line in path.read_text().splitlines():
                try:
                    item = json.loads(line)
                except json.JSONDecodeError:
                    continue  # the line that a running worker has not finished
                boxes = [(b[0], b[1:]) for b in item["boxes"]]
                record = by_id[item["record"]]
                self.items.append(Item(item["at"], record, item["kind"], boxes, item["findings"]))
        total = len(plan(records))
        self.store = np.memmap(work / "cache/features.f16", np.float16, "r", shape=(total, WIDTH))

    def part(self, name: str) -> list[Item]:
        return [i for i in self.items if i.record.part == name]

    def maps(self, items: list[Item]):
        """-> x8, x16, x32 float32"""
        return split_maps(np.stack([self.store[i.at] for i in items]))
