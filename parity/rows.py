"""The rows in which two runs differ. Only shards with unequal digests are read, a bounded part at a time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from parity.fields import differing_fields
from parity.files import read_checked
from parity.result import FieldDifference
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


@dataclass(frozen=True)
class Change:
    """A key whose rows differ. heads: of a cluster row, on either side."""

    key: tuple[str, ...]
    kind: str
    fields: tuple[FieldDifference, ...]
    heads: frozenset[str]


def differing_shards(a: Run, b: Run, stage: str) -> list[int]:
    left, right = a.digests(stage), b.digests(stage)
    return sorted(int(shard, 16) for shard in left | right if left.get(shard) != right.get(shard))


def changes(a: Run, b: Run, stage: Stage, listed: int) -> list[Change]:
    """Every key whose rows differ, in key order. Past `listed` of them the fields are left empty."""
    rules = {channel["name"]: channel["match"]["rule"] for channel in a.manifest["contract"]["channels"]}
    found: list[Change] = []
    for shards in _parts(a, b, stage.name):
        left, right = read_checked(a, stage, shards), read_checked(b, stage, shards)
        for key, (rows_a, rows_b) in sorted(_unequal(left, right, stage).items()):
            kind = "wrong" if rows_a and rows_b else "missing" if rows_a else "extra"
            fields = differing_fields(stage.name, rows_a, rows_b, rules) if len(found) < listed else ()
            heads = (
                frozenset(row["head"] for row in rows_a + rows_b) if stage.name == "clusters" else frozenset()
            )
            found.append(Change(key, kind, fields, heads))
    return sorted(found, key=lambda change: change.key)


def _parts(a: Run, b: Run, stage: str) -> Iterator[list[int]]:
    """The shards to read, in parts of about ROWS_AT_ONCE rows."""
    part: list[int] = []
    rows = 0
    for shard in differing_shards(a, b, stage):
        name = f"{shard:02x}"
        size = sum(int(run.digests(stage).get(name, "0:").split(":")[0]) for run in (a, b))
        if part and rows + size > ROWS_AT_ONCE:
            yield part
            part, rows = [], 0
        part.append(shard)
        rows += size
    if part:
        yield part


Rows = list[dict[str, Any]]


def _unequal(a: pa.Table, b: pa.Table, stage: Stage) -> dict[tuple[str, ...], tuple[Rows, Rows]]:
    """key -> (rows of a, rows of b) that the other side does not have, or has another number of times."""
    columns = list(stage.digested)
    hashes = np.concatenate([digests.row_hashes(a, columns), digests.row_hashes(b, columns)])
    odd = _odd(hashes, a.num_rows)
    rows_a = a.select(columns).take(pa.array(odd[odd < a.num_rows])).to_pylist()
    rows_b = b.select(columns).take(pa.array(odd[odd >= a.num_rows] - a.num_rows)).to_pylist()
    out: dict[tuple[str, ...], tuple[Rows, Rows]] = defaultdict(lambda: ([], []))
    for side, row in chain(((0, row) for row in rows_a), ((1, row) for row in rows_b)):
        out[tuple(row[name] for name in KEYS[stage.name])][side].append(row)
    return out


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
