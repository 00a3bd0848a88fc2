"""The rows in which two runs differ. Only shards with unequal digests are read, a bounded part at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from parity.files import read_checked
from parity.late import Late
from parity.spread import Spread, one_by_one
from shared import digests, traces
from shared.run import STAGES, Run, Stage

ROWS_AT_ONCE = 500_000  # of both runs together, unless one shard has more
BYTES_AT_ONCE = 2**28
KEYS = {
    "items": ("id",),
    "signatures": ("id", "channel"),
    "verification": ("id", "channel"),
    "buckets": ("id",),
    "candidates": ("id",),
    "edges": ("later", "earlier"),
    "clusters": ("id",),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose rows differ.

    heads: of a cluster row, on either side. status_only: of an item, its event is the same. late: of an
    item, its event lies past the other run's fence, or is too old for it there. trace: of a row of traces,
    B's less A's (none: 0), modulo 2^64, as int64.
    """

    key: tuple[str, ...]
    kind: str
    heads: tuple[str, ...] = ()
    status_only: bool = False
    late: bool = False
    trace: int = 0


def differing_shards(a: Run, b: Run, stage: str) -> list[int]:
    left, right = a.digests(stage), b.digests(stage)
    return sorted(int(shard, 16) for shard in left | right if left.get(shard) != right.get(shard))


def changes(
    a: Run, b: Run, stage: Stage, late: Late | None = None, spread: Spread = one_by_one
) -> list[Change]:
    """Every key whose rows differ, in key order. late: of items, judges rows by the other side's fence."""
    shards = list(parts(a, b, stage.name, differing_shards(a, b, stage.name)))
    found = spread(partial(_changes_in, a, b, stage.name, late), shards)
    return sorted((change for part in found for change in part), key=lambda change: change.key)


def _changes_in(a: Run, b: Run, name: str, late: Late | None, shards: list[int]) -> list[Change]:
    stage = STAGES[name]
    return list(_changes(read_checked(a, stage, shards), read_checked(b, stage, shards), stage, late))


def rows_of(run: Run, stage: str, ids: Iterable[str], columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows of these ids (of edges: of the later), from their shards, a bounded part at a time."""
    wanted, by = pa.array(sorted(ids), pa.string()), STAGES[stage].shard_by
    for shards in parts(run, run, stage, sorted({int(shard) for shard in digests.shards(wanted)})):
        table = run.read(stage, shards, columns)
        yield table.filter(pc.is_in(table.column(by), wanted))


def rows_with(
    run: Run, stage: str, column: str, values: Iterable[str], columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """The rows that have one of these values in `column`, of all. Memory: a batch."""
    wanted = pa.array(sorted(values), pa.string())
    for batch in run.batches(stage, columns) if len(wanted) else ():
        yield batch.filter(pc.is_in(batch.column(column), wanted))


def parts(a: Run, b: Run, stage: str, shards: Iterable[int]) -> Iterator[list[int]]:
    """These shards, in parts of about ROWS_AT_ONCE rows, or BYTES_AT_ONCE of their files if that is less."""
    most = min(ROWS_AT_ONCE, *(_rows_of_bytes(run, stage) for run in (a, b)))
    part: list[int] = []
    rows = 0
    for shard in shards:
        name = f"{shard:02x}"
        size = sum(int(run.digests(stage).get(name, "0:").split(":")[0]) for run in (a, b))
        if part and rows + size > most:
            yield part
            part, rows = [], 0
        part.append(shard)
        rows += size
    if part:
        yield part


def _rows_of_bytes(run: Run, stage: str) -> int:
    """How many rows BYTES_AT_ONCE of the files have."""
    size = sum(file["bytes"] for file in run.manifest["stages"][stage]["files"])
    return BYTES_AT_ONCE * run.rows(stage) // size if run.rows(stage) and size else ROWS_AT_ONCE


def _changes(a: pa.Table, b: pa.Table, stage: Stage, late: Late | None) -> Iterator[Change]:
    """The keys of rows that the other side does not have, or has another number of times."""
    columns = list(stage.digested)
    hashes = np.concatenate([digests.row_hashes(a, columns), digests.row_hashes(b, columns)])
    odd = _odd(hashes, a.num_rows)
    sides = (odd[odd < a.num_rows], odd[odd >= a.num_rows] - a.num_rows)
    taken = [table.take(pa.array(rows)) for table, rows in zip((a, b), sides, strict=True)]
    left, right = (_keys(table, stage.name, late, side) for side, table in enumerate(taken))
    for key in left.keys() | right.keys():
        kind = "wrong" if key in left and key in right else "missing" if key in left else "extra"
        rows = [*left.get(key, ()), *right.get(key, ())]
        yield Change(
            key,
            kind,
            tuple({row.head for row in rows if row.head is not None}),
            status_only=kind == "wrong" and len(rows) == 2 and rows[0].event == rows[1].event is not None,
            late=any(row.late for row in rows),
            trace=traces.signed(
                sum(row.trace for row in right.get(key, ())) - sum(row.trace for row in left.get(key, ()))
            ),
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """What of a row matters beside its key: a cluster row's head, the hash of an item's event, a trace."""

    head: str | None = None
    event: tuple[int, int] | None = None
    late: bool = False
    trace: int = 0


def _keys(table: pa.Table, stage: str, late: Late | None, side: int) -> dict[tuple[str, ...], list[_Row]]:
    rows = [_Row()] * table.num_rows
    if stage == "clusters":
        rows = [_Row(head) for head in table.column("head").to_pylist()]
    elif "trace" in table.column_names:
        rows = [_Row(trace=trace) for trace in table.column("trace").to_pylist()]
    elif stage == "items":
        event = [name for name in STAGES[stage].digested if name != "status"]
        hashes = digests.row_hashes(table, event).tolist()
        past = late.of(table, side) if late else [False] * table.num_rows
        rows = [_Row(None, (h[0], h[1]), p) for h, p in zip(hashes, past, strict=True)]
    found: dict[tuple[str, ...], list[_Row]] = {}
    for key, row in zip(
        zip(*(table.column(name).to_pylist() for name in KEYS[stage]), strict=True), rows, strict=True
    ):
        found.setdefault(key, []).append(row)
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
