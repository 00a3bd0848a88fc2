"""Which cluster rows are wrong by themselves, in plain Python: docs/semantics.md, "Clusters", once more."""

import struct
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np

from parity.fault_edits import Runs
from shared.geometry import count_inliers
from shared.run import open_run

Strength = tuple[int, Fraction]  # minus the channel's place, the ratio: the greater is the stronger


def wrongly_decided(runs: Runs) -> int:
    """Of the ids whose cluster rows differ, how many do not follow from their own run's edges and heads."""
    rows = [_heads(run) for run in (runs.a, runs.b)]
    differ = {item for item in rows[0].keys() | rows[1].keys() if rows[0].get(item) != rows[1].get(item)}
    wrong = {item for run in (runs.a, runs.b) for item in differ if not _follows(_Plain(run), item)}
    return len(wrong)


def _heads(run: Any) -> dict[str, tuple[Any, ...]]:
    return {row["id"]: tuple(row.values())[2:] for row in open_run(run).read("clusters").to_pylist()}


class _Plain:
    """A run in dictionaries."""

    def __init__(self, run: Any) -> None:
        opened = open_run(run)
        self.channels = opened.manifest["spec"]["channels"]
        self.heads = {item: row[0] for item, row in _heads(run).items()}
        self.edges: dict[str, set[str]] = defaultdict(set)
        for row in opened.read("edges").to_pylist():
            self.edges[row["later"]].add(row["earlier"])
        self.values: dict[tuple[str, str], tuple[int, ...]] = {}
        self.records: dict[tuple[str, str], tuple[int, ...]] = {}
        for row in opened.read("signatures").to_pylist():
            own = row["signature"]
            self.values[row["id"], row["channel"]] = struct.unpack(f"<{len(own) // 4}I", own)
        for row in opened.read("verification").to_pylist():
            own = row["record"]
            self.records[row["id"], row["channel"]] = struct.unpack(f"<{len(own) // 8}Q", own)
        self.priority = {
            row["id"]: (row["effective_time"], row["version_time"], row["id"].encode())
            for row in opened.read("items").to_pylist()
        }

    def match(self, x: str, y: str) -> Strength | None:
        for place, channel in enumerate(self.channels):
            a, b = (self.values.get((item, channel["name"])) for item in (x, y))
            if a is None or b is None:
                continue
            rows = channel["bands"]["rows"]
            bands = [a[i : i + rows] == b[i : i + rows] for i in range(0, len(a), rows)]
            if sum(bands) < channel["match"]["min_agreeing_bands"]:
                continue
            ratio, least = self._ratio(channel, x, y)
            if ratio >= least:
                return -place, ratio
        return None

    def _ratio(self, channel: dict[str, Any], x: str, y: str) -> tuple[Fraction, Fraction]:
        """What the rule measures, and the least that matches."""
        name, match = channel["name"], channel["match"]
        s, t = (self.records[item, name] for item in (x, y))
        if match["rule"] == "jaccard":
            common = set(s) & set(t)
            return Fraction(len(common), len(s) + len(t) - len(common)), Fraction(match["threshold"])
        if match["rule"] == "hamming":
            apart = sum((p ^ q).bit_count() for p, q in zip(s, t, strict=True))
            return Fraction(256 - apart, 256), Fraction(256 - match["max_distance"], 256)
        if match["rule"] == "inliers":  # not once more: tests/oracle_images.py holds it against plain Python
            values, ends = np.array([*s, *t], np.uint64), np.array([0, len(s), len(s) + len(t)])
            found = count_inliers(values, ends, np.array([0]), np.array([1]), 0)
            return Fraction(int(found[0])), Fraction(match["min_inliers"])
        a, b = (self.values[item, name] for item in (x, y))
        return Fraction(sum(p == q for p, q in zip(a, b, strict=True)), len(a)), Fraction(match["threshold"])


def _follows(run: _Plain, item: str) -> bool:
    if item not in run.heads:
        return False
    possible = {run.heads[other] for other in run.edges[item]}
    found = [
        (run.match(item, head), head)
        for head in sorted(possible, key=lambda head: run.priority.get(head, ()))
    ]
    good = [(strength, head) for strength, head in found if strength is not None]
    best = max((strength for strength, _ in good), default=None)
    says = next((head for strength, head in good if strength == best), item)
    return bool(says == run.heads[item])
