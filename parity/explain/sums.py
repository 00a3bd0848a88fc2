"""Traces against what they should be: which single thing one has lost, or has too much."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa

from shared import traces
from shared.spec import Spec
from shared.stored import Entry, Trace
from shared.traces import UInt64s

T = TypeVar("T")
_NONE = np.zeros(1, np.uint64)
_MOST_SUMS = 200_000
_MOST_PAIRED = 300


def entry_hashes(spec: Spec, entries: Iterable[Entry]) -> dict[Entry, int]:
    """entry -> its hash, as a trace of buckets adds it up."""
    own = list(entries)
    before = np.cumsum([0, *(channel.bands.count for channel in spec.channels)])
    slots = np.array([before[order] + band for order, band, _ in own], np.int64)
    values = np.array([value for _, _, value in own], np.uint64)
    return dict(zip(own, traces.entry_hashes(slots, values).tolist(), strict=True)) if own else {}


def id_hashes(ids: Iterable[str]) -> dict[str, int]:
    """id -> its hash, as a trace of candidates adds it up."""
    own = list(ids)
    return dict(zip(own, traces.id_hashes(pa.array(own, pa.string())).tolist(), strict=True))


def trace(hashes: Mapping[T, int]) -> Trace:
    return len(hashes), traces.signed(sum(hashes.values()))


def lost(expected: Mapping[T, int], stored: Trace) -> T | None:
    """The one thing that a trace lacks of what it should have; None where more is wrong."""
    if stored[0] != len(expected) - 1:
        return None
    return _with_hash(expected, sum(expected.values()) - stored[1])


def extra(expected: Mapping[T, int], stored: Trace, others: Mapping[T, int]) -> T | None:
    """The one of `others` that a trace has beside what it should have; None where more is wrong."""
    if stored[0] != len(expected) + 1:
        return None
    return _with_hash(others, stored[1] - sum(expected.values()))


class Newcomers:
    """Which of others were added to a trace, or taken from it: one to three of a hundred, more of few."""

    def __init__(self, others: UInt64s) -> None:
        """others: hashes of ids, one or more."""
        begin = last = np.arange(len(others))
        own = sums = others
        begins, every = [begin], [sums]
        while len(sums) and sum(map(len, every)) + np.sum(len(others) - 1 - last) <= _MOST_SUMS:
            one, last = np.nonzero(last[:, None] < np.arange(len(others)))  # a greater place joins each sum
            sums, begin = sums[one] + own[last], begin[one]
            begins.append(begin)
            every.append(sums)
        sums, begin = np.concatenate(every), np.concatenate(begins)
        order = np.argsort(sums, kind="stable")
        self._sums, self._first = sums[order], begin[order]

    def first(self, change: int, drawn: UInt64s) -> int | None:
        """The place of the first of them, where they came in the place of at most two of `drawn`.

        change: of the trace. drawn: hashes of ids. None where more has changed.
        """
        some = drawn[:_MOST_PAIRED]
        displaced = np.concatenate([_NONE, drawn, np.add.outer(some, some).ravel()])
        for difference in (change & traces.MASK, -change & traces.MASK):
            wanted = displaced + np.uint64(difference)
            at = np.searchsorted(self._sums, wanted)
            at = at[self._sums[np.minimum(at, len(self._sums) - 1)] == wanted]
            if len(at):
                return int(self._first[at[0]])
        return None


def _with_hash(things: Mapping[T, int], wanted: int) -> T | None:
    return next((thing for thing, value in things.items() if value == wanted & traces.MASK), None)
