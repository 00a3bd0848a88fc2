"""Results of verified pairs on the driver, to be looked up by pair."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Known:
    """Pairs of nodes 0..n-1, sorted by (later, earlier), each once.

    starts: int64[n + 1], the rows of each later node. earlier, numerator, denominator: int64[pairs].
    channel: int8[pairs], its order in the spec or similarity.NO_MATCH.
    """

    starts: Int64s
    earlier: Int64s
    channel: Int8s
    numerator: Int64s
    denominator: Int64s

    @property
    def later(self) -> Int64s:
        """int64[pairs]"""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def known(
    nodes: int, later: Int64s, earlier: Int64s, channel: Int8s, numerator: Int64s, denominator: Int64s
) -> Known:
    """From columns in any order."""
    order = np.lexsort((earlier, later))
    starts = np.searchsorted(later[order], np.arange(nodes + 1)).astype(np.int64)
    return Known(starts, earlier[order], channel[order].astype(np.int8), numerator[order], denominator[order])


def join(a: Known, b: Known) -> Known:
    """The pairs of both, which share none."""
    return known(
        len(a.starts) - 1,
        np.concatenate([a.later, b.later]),
        np.concatenate([a.earlier, b.earlier]),
        np.concatenate([a.channel, b.channel]),
        np.concatenate([a.numerator, b.numerator]),
        np.concatenate([a.denominator, b.denominator]),
    )


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def find(starts: Int64s, earlier: Int64s, a: int, b: int) -> int:
    """The row of the pair (later a, earlier b), or -1."""
    low, high = starts[a], starts[a + 1]
    while low < high:
        middle = (low + high) // 2
        if earlier[middle] < b:
            low = middle + 1
        else:
            high = middle
    return low if low < starts[a + 1] and earlier[low] == b else -1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def find_all(starts: Int64s, earlier: Int64s, a: Int64s, b: Int64s) -> Int64s:
    """int64[n]: `find` of each pair (a[i], b[i])."""
    rows = np.empty(len(a), np.int64)
    for i in range(len(a)):
        rows[i] = find(starts, earlier, a[i], b[i])
    return rows
