"""Rows that one run has and the other has not, by a key: vectorised, a bounded part at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parity.files import read_checked
from parity.rows import differing_shards, parts
from shared import digests
from shared.run import Run, Stage

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parted:
    """a_only, b_only: rows whose key the other side does not have. a_both, b_both: the others, key by key."""

    a_only: pa.Table
    b_only: pa.Table
    a_both: pa.Table
    b_both: pa.Table


def partings(a: Run, b: Run, stage: Stage, key: Sequence[str]) -> Iterator[Parted]:
    """Of the shards whose digests differ: in all others the rows are equal. `key`: columns of the stage.

    Raises SourceError where rows do not have the manifest's digests.
    """
    for shards in parts(a, b, stage.name, differing_shards(a, b, stage.name)):
        yield part(read_checked(a, stage, shards), read_checked(b, stage, shards), key)


def part(a: pa.Table, b: pa.Table, key: Sequence[str]) -> Parted:
    """A key that a side has twice counts once."""
    columns = list(key)
    hashes = np.concatenate([digests.row_hashes(a, columns), digests.row_hashes(b, columns)])
    # Of rows with one key A's come first: lexsort is stable.
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first, last = order[new], order[np.roll(new, -1)]
    in_a, in_b = first < a.num_rows, last >= a.num_rows
    return Parted(
        _take(a, first[in_a & ~in_b]),
        _take(b, last[in_b & ~in_a] - a.num_rows),
        _take(a, first[in_a & in_b]),
        _take(b, last[in_a & in_b] - a.num_rows),
    )


def _take(table: pa.Table, rows: Int64s) -> pa.Table:
    return table.take(pa.array(rows))
