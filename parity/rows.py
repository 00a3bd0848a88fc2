"""The rows in which two runs differ. Only shards with unequal digests are read, a bounded part at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parity.files import read_checked
from shared import digests
from shared.run import Run, Stage

ROWS_AT_ONCE = 500_000  # of both runs together, unless one shard has more
KEYS = {
    "items": ("id",),
    "signatures": ("id", "channel"),
    "verification": ("id", "channel"),
    "edges": ("later", "earlier"),
    "clusters": ("id",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose rows differ. heads: of a cluster row, on either side."""

    key: tuple[str, ...]
    kind: str
    heads: tuple[str, ...] = ()


def differing_shards(a: Run, b: Run, stage: str) -> list[int]:
    left, right = a.digests(stage), b.digests(stage)
    return sorted(int(shard, 16) for shard in left | right if left.get(shard) != right.get(shard))


def changes(a: Run, b: Run, stage: Stage) -> list[Change]:
    """Every key whose rows differ, in key order."""
    found: list[Change] = []
    for shards in parts(a, b, stage.name, differing_shards(a, b, stage.name)):
        found += _changes(read_checked(a, stage, shards), read_checked(b, stage, shards), stage)
    return sorted(found, key=lambda change: change.key)


def parts(a: Run, b: Run, stage: str, shards: Iterable[int]) -> Iterator[list[int]]:
    """These shards, in parts that hold about ROWS_AT_ONCE rows."""
    part: list[int] = []
    rows = 0
    for shard in shards:
        name = f"{shard:02x}"
        size = sum(int(run.digests(stage).get(name, "0:").split(":")[0]) for run in (a, b))
        if part and rows + size > ROWS_AT_ONCE:
            yield part
            part, rows = [], 0
        part.append(shard)
        rows += size
    if part:
        yield part


def _changes(a: pa.Table, b: pa.Table, stage: Stage) -> Iterator[Change]:
    """The keys of rows that the other side does not have, or has another number of times."""
    columns = list(stage.digested)
    hashes = np.concatenate([digests.row_hashes(a, columns), digests.row_hashes(b, columns)])
    odd = _odd(hashes, a.num_rows)
    sides = (odd[odd < a.num_rows], odd[odd >= a.num_rows] - a.num_rows)
    left, right = (_keys(table, stage.name, rows) for table, rows in zip((a, b), sides, strict=True))
    for key in left.keys() | right.keys():
        kind = "wrong" if key in left and key in right else "missing" if key in left else "extra"
        yield Change(key, kind, tuple({*left.get(key, ()), *right.get(key, ())}))


def _keys(table: pa.Table, stage: str, rows: npt.NDArray[np.int64]) -> dict[tuple[str, ...], list[str]]:
    """key -> the heads of its rows (none but in clusters)."""
    taken = table.take(pa.array(rows))
    found: dict[tuple[str, ...], list[str]] = {}
    keys = zip(*(taken.column(name).to_pylist() for name in KEYS[stage]), strict=True)
    if stage != "clusters":
        return {key: [] for key in keys}
    for key, head in zip(keys, taken.column("head").to_pylist(), strict=True):
        found.setdefault(key, []).append(head)
    return found


def _odd(hashes: npt.NDArray[np.uint64], in_a: int) -> npt.NDArray[np.int64]:
    """int64: the rows of uint64[n, 2], the first `in_a` of them A's, that A and B hold unequally often."""
    if not len(hashes):
        return np.empty(0, np.int64)
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    balance = np.add.reduceat(np.where(order < in_a, 1, -1), starts)
    repeats = np.diff(np.append(starts, len(order)))
    return np.sort(order[np.repeat(balance != 0, repeats)])
