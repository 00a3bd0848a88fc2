"""Of both runs: how alike matched pairs are, how large clusters are, how late events came."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from parity.clusters import cluster_sizes
from parity.report.histogram import Bins, Histogram, by_powers, even, ranges, trimmed
from parity.show import counted, number
from shared.run import Run

_MOST_POINTS = 100_000  # matched points of a pair that are told apart: a damaged row may have any number
_NO_TIME = -1  # an append time that is not known

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_LAGS = {
    "0": 0, "1 s": _SECOND, "10 s": 10 * _SECOND, "1 min": _MINUTE, "10 min": 10 * _MINUTE, "1 h": _HOUR,
    "6 h": 6 * _HOUR, "1 d": _DAY, "7 d": 7 * _DAY, "30 d": 30 * _DAY, "1 y": 365 * _DAY,
}  # fmt: skip
_UNITS = (("s", _SECOND), ("min", _MINUTE), ("h", _HOUR), ("days", _DAY))

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Items:
    """statuses: how many items have each. lags: append time - event time in ms, counted by _LAGS and
    what lies before and after; least, greatest: of all. unknown: items without an append time."""

    statuses: tuple[tuple[str, int], ...]
    lags: tuple[int, ...]
    least: int
    greatest: int
    unknown: int


def read_items(run: Run) -> Items:
    statuses: Counter[str] = Counter()
    counts = np.zeros(len(_LAGS) + 1, np.int64)
    extremes: list[int] = []
    unknown = 0
    for batch in run.batches("items", ["event_time", "append_time", "status"]):
        for entry in pc.value_counts(batch.column("status")).to_pylist():
            statuses[entry["values"]] += entry["counts"]
        appended = batch.column("append_time").to_numpy()
        known = appended != _NO_TIME
        lags = appended[known] - batch.column("event_time").to_numpy()[known]
        unknown += len(known) - len(lags)
        if len(lags):
            places = np.searchsorted(list(_LAGS.values()), lags, "right")
            counts += np.bincount(places, minlength=len(counts))
            extremes += [int(lags.min()), int(lags.max())]
    least, greatest = (min(extremes), max(extremes)) if extremes else (0, 0)
    return Items(tuple(sorted(statuses.items())), tuple(counts.tolist()), least, greatest, unknown)


def similarities(a: Run, b: Run) -> Iterator[Histogram]:
    """The edges of each channel, by the number that its rule compares."""
    found = [_numbers(run) for run in (a, b)]
    for channel in a.manifest["contract"]["channels"]:
        of_a, of_b = (side[channel["name"]] for side in found)
        yield _similarity(channel, even(of_a, of_b))


def _numbers(run: Run) -> dict[str, Counter[int]]:
    """channel -> bits that differ, matched points, or hundredths of the similarity -> edges."""
    rules = {channel["name"]: channel["match"]["rule"] for channel in run.manifest["contract"]["channels"]}
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for batch in run.batches("edges", ["channel", "numerator", "denominator"]):
        n, d = (batch.column(name).to_numpy() for name in ("numerator", "denominator"))
        for channel, rule in rules.items():
            own = pc.equal(batch.column("channel"), channel).to_numpy(zero_copy_only=False)
            values, counts = np.unique(_number(rule, n[own], d[own]), return_counts=True)
            found[channel].update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return found


def _number(rule: str, n: Int64s, d: Int64s) -> Int64s:
    """Clipped: a damaged row may say anything."""
    if rule in ("inliers", "hamming"):
        return np.asarray(np.clip(n if rule == "inliers" else d - n, 0, _MOST_POINTS))
    return np.asarray(np.clip(100 * np.clip(n, 0, 2**50) // np.maximum(d, 1), 0, 100))


def _similarity(channel: Mapping[str, Any], bins: Bins) -> Histogram:
    match, title = channel["match"], f"Matched pairs by {channel['name']}"
    if match["rule"] == "inliers":
        x, limit = "matched points", f"at least {match['min_inliers']} points"
    elif match["rule"] == "hamming":
        x, limit = "bits that differ", f"at most {match['max_distance']} bits"
    else:
        x, limit = "similarity", f"at least {match['threshold']}"
    if not bins.a:
        return Histogram(title, x, "pairs", (), (), (), "Neither run has an edge of this channel.")
    if x == "similarity":
        labels = tuple(f"{edge / 100:.2f}" if edge <= 100 else "" for edge in bins.edges)
    else:
        alone = bins.edges[1] - bins.edges[0] == 1
        labels = ranges(bins.edges) if alone else tuple(map(number, bins.edges))
    return Histogram(title, x, "pairs", labels, bins.a, bins.b, f"A match needs {limit}.")


def sizes(a: Run, b: Run) -> Histogram:
    found = []
    for run in (a, b):
        found.append(cluster_sizes(run, 0)[0])
    bins, (alone_a, alone_b) = by_powers(*found), (side[1] for side in found)
    alone = f"{number(alone_a)}" if alone_a == alone_b else f"{number(alone_a)} in A, {number(alone_b)} in B"
    note = f"Items alone in a cluster: {alone}." if bins.a else "Neither run has clusters."
    title = "Clusters by size"
    return Histogram(title, "items in the cluster", "clusters", ranges(bins.edges), bins.a, bins.b, note)


def lags(a: Items, b: Items) -> Histogram:
    """How long after its event time each item's winning event was appended to the log."""
    labels = ("", *_LAGS, "")
    bins = trimmed(Bins(tuple(range(len(labels))), a.lags, b.lags))
    without = _without(a, b)
    title, x, y = "How late events came", "append time less event time", "items"
    if len(bins.a) <= 1:
        times = [time for side in (a, b) if any(side.lags) for time in (side.least, side.greatest)]
        note = f"All came {_between(min(times), max(times))} after their event time." if times else ""
        return Histogram(title, x, y, (), (), (), " ".join([note, without]).strip())
    return Histogram(title, x, y, tuple(labels[edge] for edge in bins.edges), bins.a, bins.b, without)


def _without(a: Items, b: Items) -> str:
    """What is said of the items whose append time is not known."""
    if not any(a.lags) and not any(b.lags):
        return "No append time is known: the runs' records come from files, or of a log without them."
    said = " and ".join(
        f"{counted(side.unknown, 'item')} of {name}" for name, side in (("A", a), ("B", b)) if side.unknown
    )
    return f"Left out: {said} without an append time." if said else ""


def _between(least: int, greatest: int) -> str:
    low, high = duration(least), duration(greatest)
    return low if low == high else f"{low} to {high}"


def duration(ms: int) -> str:
    """Such as "3.2 s" or "516 days"."""
    unit, size = next((entry for entry in reversed(_UNITS) if abs(ms) >= entry[1]), ("ms", 1))
    value = ms / size
    return f"{value:,.0f} {unit}" if abs(value) >= 100 or size == 1 else f"{value:.1f} {unit}"
