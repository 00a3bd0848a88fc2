"""From the pairs of one side and what judges them to what is said of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parity.upgrade.judging import TRUTHS, Judgement
from parity.upgrade.kinds import A, B, Kind
from parity.upgrade.pairs import Sample
from parity.upgrade.result import NO, UNKNOWN, WHYS, YES, Measure, OneSided, Pair, Truth

Bools = npt.NDArray[np.bool_]
NO_WHY = -1
_RANK = np.array([{YES: 0, UNKNOWN: 1, NO: 2}[truth] for truth in TRUTHS])


@dataclass(frozen=True)
class Judged:
    """Of the n pairs of a sample: its judgement; equal: bool[n], both ends have equal features in A and B.

    other: the side that has not got the pairs. whys: int8[n], a place in WHYS or NO_WHY. together: bool[n]
    of A and of B, whether both ends are in one cluster.
    """

    sample: Sample
    judgement: Judgement
    equal: Bools
    other: int
    whys: npt.NDArray[np.int8]
    together: tuple[Bools, ...]

    @property
    def truth(self) -> npt.NDArray[np.int8]:
        """int8[n]: by the rule of the run that has not got the pairs."""
        return self.judgement.old if self.other == A else self.judgement.new

    @property
    def parted(self) -> Bools:
        """bool[n]: in one cluster of the run that has the pair, and not of the other."""
        return self.together[1 - self.other] & ~self.together[self.other]


def one_sided(judged: Judged, kinds: Sequence[Kind], listed: int) -> OneSided:
    """listed: how many pairs are: first what the other run misses by its own rule, of this what is parted."""
    found, equal = judged.judgement, judged.equal
    whys = np.bincount(judged.whys[equal & (judged.whys != NO_WHY)], minlength=len(WHYS)).tolist()
    return OneSided(
        pairs=judged.sample.pairs,
        set_aside=judged.sample.set_aside,
        sample=len(equal),
        unequal=int((~equal).sum()),
        truths=tuple(_truths(found.old[equal], found.new[equal], judged.parted[equal])),
        whys=tuple((why, count) for why, count in zip(WHYS, whys, strict=True) if count),
        listed=tuple(_listed(judged, kinds, listed)),
    )


def _truths(old: npt.NDArray[np.int8], new: npt.NDArray[np.int8], parted: Bools) -> Iterator[Truth]:
    cells = old.astype(np.int64) * len(TRUTHS) + new
    counts, apart = (np.bincount(some, minlength=len(TRUTHS) ** 2) for some in (cells, cells[parted]))
    for cell in np.flatnonzero(counts).tolist():
        names = TRUTHS[cell // len(TRUTHS)], TRUTHS[cell % len(TRUTHS)]
        yield Truth(*names, int(counts[cell]), int(apart[cell]))


def _listed(judged: Judged, kinds: Sequence[Kind], listed: int) -> Iterator[Pair]:
    found = judged.judgement
    rows = np.flatnonzero(judged.equal)
    keys = (
        -_similarity(found)[rows],
        ~judged.parted[rows],
        _RANK[judged.truth[rows]],
    )  # the last is the first
    order = np.lexsort(keys)  # ties: by ids, as they come
    chosen = rows[order[:listed]]
    pairs = judged.sample.table.take(pa.array(chosen)).to_pylist()
    for row, pair in zip(chosen.tolist(), pairs, strict=True):
        yield Pair(
            id=pair["later"],
            earlier=pair["earlier"],
            old=TRUTHS[found.old[row]],
            new=TRUTHS[found.new[row]],
            why="" if judged.whys[row] == NO_WHY else WHYS[judged.whys[row]],
            together_a=bool(judged.together[A][row]),
            together_b=bool(judged.together[B][row]),
            measures=tuple(
                Measure(kind.name, int(found.numerator[place, row]), int(found.denominator[place, row]))
                for place, kind in enumerate(kinds)
                if found.denominator[place, row]
            ),
        )


def _similarity(found: Judgement) -> npt.NDArray[np.float64]:
    """float64[n], by the first features that both ends have; for the order of a list, for nothing else."""
    out = np.full(found.numerator.shape[1], -1.0)
    for numerator, denominator in zip(found.numerator, found.denominator, strict=True):
        new = (out < 0) & (denominator > 0)
        out[new] = numerator[new] / denominator[new]
    return out
