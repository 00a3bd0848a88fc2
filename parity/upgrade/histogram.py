"""How similar the pairs are that were gained and lost."""

import numpy as np
import numpy.typing as npt

from parity.upgrade.kinds import Kind
from parity.upgrade.result import BINS

Int64s = npt.NDArray[np.int64]
WIDTH = 10  # inliers of a bin


def bins_of(kind: Kind) -> tuple[str, ...]:
    """The names of the BINS, ascending: tenths of a ratio, or tens of inliers."""
    if kind.what == "points":
        ranges = [f"{WIDTH * n} to {WIDTH * n + WIDTH - 1}" for n in range(BINS - 1)]
        return (*ranges, f"{WIDTH * (BINS - 1)} and more")
    return (*(f"{n / BINS:.1f} to {(n + 1) / BINS:.1f}" for n in range(BINS - 1)), "0.9 to 1, both in")


def histogram(kind: Kind, numerator: Int64s, denominator: Int64s) -> tuple[int, ...]:
    """Pairs in each bin; a pair without a number (0 / 0) is in none."""
    known = denominator > 0
    scale = (1, WIDTH) if kind.what == "points" else (BINS, 1)
    place = numerator[known] * scale[0] // (denominator[known] * scale[1])
    return tuple(np.bincount(np.minimum(place, BINS - 1), minlength=BINS).tolist())
