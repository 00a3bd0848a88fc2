"""What an upgrade must say of two runs, pair by pair in plain Python: nothing of parity/ or numpy is used."""

import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from shared.run import Run
from tests import oracle_images

Pair = tuple[str, str]  # later, earlier
Numbers = tuple[int, int]
_WHAT = {"jaccard": "tokens", "agreement": "tokens", "hamming": "bits", "inliers": "points"}
EVENT = ("op", "event_time", "version_time", "effective_time", "digest")


class Plain:
    """A run in dictionaries."""

    def __init__(self, run: Run) -> None:
        self.channels = run.manifest["spec"]["channels"]
        self.items = {row["id"]: row for row in run.read("items").to_pylist()}
        self.edges = {
            (row["later"], row["earlier"]): (row["channel"], row["numerator"], row["denominator"])
            for row in run.read("edges").to_pylist()
        }
        self.heads = {row["id"]: row["head"] for row in run.read("clusters").to_pylist()}
        self.memberships = {
            (row["id"], row["head"]): (row["channel"], row["numerator"], row["denominator"])
            for row in run.read("clusters").to_pylist()
            if row["id"] != row["head"]
        }
        self.records = {
            (row["id"], row["channel"]): row["record"] for row in run.read("verification").to_pylist()
        }
        self.signatures = {
            (row["id"], row["channel"]): struct.unpack(f"<{len(row['signature']) // 4}I", row["signature"])
            for row in run.read("signatures").to_pylist()
        }

    def pairs(self, family: str) -> dict[Pair, tuple[str, int, int]]:
        return self.edges if family == "edges" else self.memberships


@dataclass
class Side:
    """Of the pairs gained or lost: all, those set aside, and of the others (old, new), parted, why."""

    pairs: int = 0
    set_aside: int = 0
    truths: Counter[tuple[str, str]] = field(default_factory=Counter)
    parted: Counter[tuple[str, str]] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)
    told: dict[Pair, tuple[str, str, str, bool, bool]] = field(default_factory=dict)


class Upgrade:
    """Two runs of one set of events, in plain Python."""

    def __init__(self, a: Run, b: Run) -> None:
        self.a, self.b = Plain(a), Plain(b)

    def unequal_events(self) -> dict[str, str]:
        """id -> missing, extra or wrong."""
        kinds = {}
        for name in self.a.items.keys() | self.b.items.keys():
            rows = [side.items.get(name) for side in (self.a, self.b)]
            events = [row and tuple(row[part] for part in EVENT) for row in rows]
            if events[0] != events[1]:
                kinds[name] = "extra" if rows[0] is None else "missing" if rows[1] is None else "wrong"
        return kinds

    def dropped(self) -> int:
        """Items that have features in A and not in B, though the event is the same."""
        equal = self.a.items.keys() & self.b.items.keys() - self.unequal_events().keys()
        statuses = [[side.items[name]["status"] for side in (self.a, self.b)] for name in equal]
        return sum(one == "ok" and other != "ok" for one, other in statuses)

    def side(self, family: str, which: str) -> Side:
        has, other = (self.b, self.a) if which == "gained" else (self.a, self.b)
        unequal = self.unequal_events()
        found = Side()
        for pair in has.pairs(family).keys() - other.pairs(family).keys():
            found.pairs += 1
            if unequal.keys() & set(pair):
                found.set_aside += 1
                continue
            truth = self.true(self.a, *pair), self.true(self.b, *pair)
            together = [self.together(run, *pair) for run in (self.a, self.b)]
            misses = truth[0 if which == "gained" else 1] == "yes"
            why = self.why(other, *pair) if misses and family == "edges" else ""
            found.truths[truth] += 1
            found.parted[truth] += together == [which == "lost", which == "gained"]
            if why:
                found.whys[why] += 1
            found.told[pair] = (*truth, why, *together)
        return found

    def kept(self, family: str) -> tuple[int, int, int]:
        """(kept, of these by another channel, by the same with other numbers)."""
        a, b = self.a.pairs(family), self.b.pairs(family)
        both = a.keys() & b.keys()
        channel = sum(a[pair][0] != b[pair][0] for pair in both)
        return len(both), channel, sum(a[pair] != b[pair] for pair in both) - channel

    def together(self, run: Plain, x: str, y: str) -> bool:
        return x in run.heads and run.heads[x] == run.heads.get(y)

    def true(self, run: Plain, x: str, y: str) -> str:
        """yes, no or unknown, by a run's rule on the features alone."""
        unknown = False
        for channel in run.channels:
            if not {(x, channel["name"]), (y, channel["name"])} <= run.records.keys():
                continue
            numbers = self.measure(run, channel, x, y)
            if numbers is None:
                unknown = True
            elif accepts(channel["match"], numbers):
                return "yes"
        return "unknown" if unknown else "no"

    def measure(self, run: Plain, channel: dict[str, Any], x: str, y: str) -> Numbers | None:
        """By the records of a channel of either run with these features; the run's own first."""
        for side in (run, self.b, self.a):
            for source in side.channels:
                if source["match"]["rule"] == "agreement" or features(source) != features(channel):
                    continue
                one, other = (side.records.get((item, source["name"])) for item in (x, y))
                if one is not None and other is not None:
                    return compare(_WHAT[source["match"]["rule"]], one, other)
        return None

    def why(self, run: Plain, x: str, y: str) -> str:
        shares = taken = False
        for channel in run.channels:
            one, other = (run.signatures.get((item, channel["name"])) for item in (x, y))
            if one is None or other is None:
                continue
            rows, count = channel["bands"]["rows"], channel["bands"]["count"]
            bands = sum(
                one[i * rows : i * rows + rows] == other[i * rows : i * rows + rows] for i in range(count)
            )
            numbers: Numbers | None = (sum(p == q for p, q in zip(one, other, strict=True)), len(one))
            if channel["match"]["rule"] != "agreement":
                numbers = self.measure(run, channel, x, y)
            assert numbers is not None
            shares |= bands > 0
            taken |= bands >= channel["match"]["min_agreeing_bands"] and accepts(channel["match"], numbers)
        return "no bucket in common" if not shares else "not drawn" if taken else "refused by the sketch"

    def histogram(self, which: str, name: str) -> list[int]:
        """Edges in bins of a tenth, or of ten inliers, by the features of B's channel `name`, or else A's."""
        channels = [] if name.endswith(" (A)") else self.b.channels
        channels = [*channels, *self.a.channels]
        channel = next(c for c in channels if c["name"] == name.removesuffix(" (A)"))
        bins = [0] * 10
        for pair in self.side("edges", which).told:
            numbers = self.measure(self.b, channel, *pair)
            if numbers is not None:
                points = channel["match"]["rule"] == "inliers"
                bins[min(9, numbers[0] // 10 if points else int(10 * Fraction(*numbers)))] += 1
        return bins


def features(channel: dict[str, Any]) -> tuple[str, str, str]:
    """What two channels must have in common to have equal records (but for empty ones)."""
    parameters = sorted(channel["parameters"].items())
    return channel["extractor"], str(parameters), _WHAT[channel["match"]["rule"]]


def compare(what: str, one: bytes, other: bytes) -> Numbers:
    if what == "bits":
        distance = sum((p ^ q).bit_count() for p, q in zip(one, other, strict=True))
        return 8 * len(one) - distance, 8 * len(one)
    x, y = (struct.unpack(f"<{len(record) // 8}Q", record) for record in (one, other))
    if what == "points":
        return oracle_images.inliers(local_record(x), local_record(y)), 1
    return len({*x} & {*y}), len({*x} | {*y})


def accepts(match: dict[str, Any], numbers: Numbers) -> bool:
    numerator, denominator = numbers
    if match["rule"] == "hamming":
        return bool(denominator - numerator <= match["max_distance"])
    if match["rule"] == "inliers":
        return bool(numerator >= match["min_inliers"])
    return Fraction(numerator, denominator) >= Fraction(match["threshold"])


def local_record(numbers: tuple[int, ...]) -> oracle_images.LocalRecord:
    every = tuple(
        oracle_images.Feature(n >> 42, n >> 30 & 4095, n >> 18 & 4095, n >> 10 & 255, n & 1023)
        for n in numbers[1:]
    )
    count = numbers[0] & (2**32 - 1)
    return oracle_images.LocalRecord(every[:count], every[count:])


def regrouped(a: Run, b: Run) -> int:
    """Pairs of ids in one cluster of both runs."""
    heads: dict[tuple[str, str], int] = defaultdict(int)
    plain = Plain(a), Plain(b)
    for name in plain[0].heads.keys() & plain[1].heads.keys():
        heads[plain[0].heads[name], plain[1].heads[name]] += 1
    return sum(size * (size - 1) // 2 for size in heads.values())
