"""Reads what features.py wrote."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from data import Record
from features import X8, plan


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
        for line in (work / "cache/items.jsonl").read_text().splitlines():
            try:
                item = json.loads(line)
            except json.JSONDecodeError:
                continue  # the line that a running features.py has not finished
            boxes = [(b[0], b[1:]) for b in item["boxes"]]
            self.items.append(Item(item["at"], by_id[item["record"]], item["kind"], boxes, item["findings"]))
        self.store = np.memmap(work / "cache/x8.f16", np.float16, "r", shape=(len(plan(records)), *X8))

    def part(self, name: str) -> list[Item]:
        return [i for i in self.items if i.record.part == name]

    def x8(self, items: list[Item]) -> torch.Tensor:
        """-> [n, 40, 56, 56] float32"""
        return torch.from_numpy(np.stack([self.store[i.at] for i in items]).astype(np.float32))
