"""Brings the pairs of the runs together with what judges them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.upgrade.features import read_records, read_signatures
from parity.upgrade.judging import TRUTHS, judge, why_missed
from parity.upgrade.kinds import A, B, Kind
from parity.upgrade.pairs import EDGE, PAIR, Compared
from parity.upgrade.result import YES
from parity.upgrade.sides import NO_WHY, Judged
from parity.upgrade.wanted import read_heads, wanted
from shared.run import Run
from shared.spec import Channel

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_YES = TRUTHS.index(YES)


@dataclass(frozen=True)
class Weighed:
    """The pairs of a family that were gained and lost."""

    gained: Judged
    lost: Judged


def weigh(
    runs: tuple[Run, Run], kinds: Sequence[Kind], families: Sequence[Compared], folder: Path
) -> tuple[list[Weighed], int]:
    """(the families judged, how many ids have other features in B than in A). Edges alone have whys.

    runs: A and B. folder: for temporary files, while this works. Raises SourceError, CrossfadeError.
    """
    samples = [sample for family in families for sample in (family.gained, family.lost)]
    ids = wanted(sample.table.column(end) for sample in samples for end in PAIR.names)
    features = read_records(runs, kinds, ids, folder)
    heads_of = [read_heads(run, ids) for run in runs]
    found = []
    for family in families:
        sides = []
        for sample, other in ((family.gained, A), (family.lost, B)):
            left, right = (ids.find(sample.table.column(end)) for end in PAIR.names)
            judgement = judge(kinds, features, left, right)
            equal = ~(features.unequal[left] | features.unequal[right])
            truth = judgement.old if other == A else judgement.new
            whys = np.full(len(left), NO_WHY, np.int8)
            missed = np.flatnonzero(equal & (truth == _YES))
            if family.what == EDGE.what and len(missed):
                channels = _channels(kinds, other)
                of = np.zeros(len(ids), bool)
                of[left[missed]] = of[right[missed]] = True
                signatures = read_signatures(runs[other], [c for c, _ in channels], ids, of, folder)
                whys[missed] = why_missed(channels, signatures, features, left[missed], right[missed])
            together = tuple(_together(heads, left, right) for heads in heads_of)
            sides.append(Judged(sample, judgement, equal, other, whys, together))
        found.append(Weighed(*sides))
    return found, int(features.unequal.sum())


def _channels(kinds: Sequence[Kind], side: int) -> list[tuple[Channel, int]]:
    """A side's channels, each with the place of its kind."""
    return [(channel, place) for place, kind in enumerate(kinds) for channel in kind.channels[side]]


def _together(heads: pa.Array, left: Int64s, right: Int64s) -> Bools:
    same = pc.equal(heads.take(pa.array(left)), heads.take(pa.array(right)))
    return np.asarray(pc.fill_null(same, False).to_numpy(zero_copy_only=False), bool)
