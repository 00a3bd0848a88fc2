"""Counts of two sides in the same bins: numbers only, no drawing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise

MOST_BINS = 24


@dataclass(frozen=True)
class Histogram:
    """labels: of the edges of the bins if they are one more than these, else of the bins themselves.

    x, y: what the axes count. note: what a reader must know beside them. Without bins the note says why.
    """

    title: str
    x: str
    y: str
    labels: tuple[str, ...]
    a: tuple[int, ...]
    b: tuple[int, ...]
    note: str = ""

    @property
    def at_edges(self) -> bool:
        return len(self.labels) > len(self.a)

    def bin_name(self, place: int) -> str:
        """Such as "0.85 to 0.90", its upper edge not in it."""
        if not self.at_edges:
            return self.labels[place]
        low, high = self.labels[place : place + 2]
        return f"{low} to {high}" if low and high else f"from {low}" if low else f"below {high}"


@dataclass(frozen=True)
class Bins:
    """edges: one more than the counts of either side; the last bin's upper edge is not in it."""

    edges: tuple[int, ...]
    a: tuple[int, ...]
    b: tuple[int, ...]


def steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, …: what readers can count in."""
    return (step * 10**power for power in count() for step in (1, 2, 5))


def even(a: Counter[int], b: Counter[int], most: int = MOST_BINS) -> Bins:
    """Bins of one width, 1, 2 or 5 times a power of ten, over all values of both sides."""
    values = a.keys() | b.keys()
    if not values:
        return Bins((), (), ())
    least, greatest = min(values), max(values)
    width = next(width for width in steps() if greatest // width - least // width < most)
    first = least // width
    bins = greatest // width - first + 1
    edges = tuple(width * (first + i) for i in range(bins + 1))
    return Bins(edges, *(_binned(side, lambda value: value // width - first, bins) for side in (a, b)))


def by_powers(a: Counter[int], b: Counter[int]) -> Bins:
    """Bins from each power of two to the next: 1, 2 to 3, 4 to 7, …; values are at least 1."""
    bins = max((value.bit_length() for value in a.keys() | b.keys()), default=0)
    edges = tuple(1 << i for i in range(bins + 1)) if bins else ()
    return Bins(edges, *(_binned(side, lambda value: value.bit_length() - 1, bins) for side in (a, b)))


def trimmed(bins: Bins) -> Bins:
    """Without the empty bins at either end."""
    filled = [i for i, counts in enumerate(zip(bins.a, bins.b, strict=True)) if any(counts)]
    if not filled:
        return Bins((), (), ())
    first, last = filled[0], filled[-1] + 1
    return Bins(bins.edges[first : last + 1], bins.a[first:last], bins.b[first:last])


def ranges(edges: tuple[int, ...]) -> tuple[str, ...]:
    """A label of each bin of whole numbers, such as "1" or "2–3"."""
    return tuple(f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}" for low, high in pairwise(edges))


def _binned(values: Counter[int], place: Callable[[int], int], bins: int) -> tuple[int, ...]:
    counts = [0] * bins
    for value, times in values.items():
        counts[place(value)] += times
    return tuple(counts)
