"""The ids whose row in a run's items is not what a lake says. Rows are compared in shards that differ."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parity.fields import FieldDifference, differing_fields
from shared import digests
from shared.run import ITEMS

COMPARED = [name for name in ITEMS.digested if name != "status"]  # which is extraction's result
_PLACE = ["partition", "offset"]


@dataclass(frozen=True)
class Uncovered:
    """An id whose row in items is not what the lake's records say.

    kind: missing (the lake has it, the run has no row), extra (the run has a row that no record up to the
    fence gives), wrong (another version, or more than one row). fields: those that differ; a = the lake's
    value, b = the run's. at: (partition, offset) of the record that wins by the lake; of an extra row, of the
    one that the run names.
    """

    id: str
    kind: str
    fields: tuple[FieldDifference, ...]
    at: tuple[int, int]


@dataclass(frozen=True)
class Found:
    """How many ids of each kind there are, and the first of them by id."""

    missing: int = 0
    extra: int = 0
    wrong: int = 0
    first: tuple[Uncovered, ...] = ()

    def plus(self, other: "Found", listed: int) -> "Found":
        """Of both together, the first `listed`."""
        first = sorted([*self.first, *other.first], key=lambda uncovered: uncovered.id)
        return Found(
            self.missing + other.missing,
            self.extra + other.extra,
            self.wrong + other.wrong,
            tuple(first[:listed]),
        )


def compare(lake: pa.Table, run: pa.Table, listed: int) -> Found:
    """Winners by the lake against a run's items of the same shards (COMPARED, partition and offset)."""
    lake, run = _unequal_shards(lake.select([*COMPARED, *_PLACE]), run.select([*COMPARED, *_PLACE]))
    odd = _odd_ids(lake, run)
    in_lake, in_run = (np.asarray(pc.is_in(odd, side.column("id").combine_chunks())) for side in (lake, run))
    first = odd.take(pc.sort_indices(odd)[:listed])
    return Found(
        missing=int((in_lake & ~in_run).sum()),
        extra=int((in_run & ~in_lake).sum()),
        wrong=int((in_lake & in_run).sum()),
        first=_listed(first, _rows(lake, first), _rows(run, first)),
    )


def _unequal_shards(lake: pa.Table, run: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of the shards whose digests differ."""
    left, right = (digests.digest(side, "id", COMPARED).to_json() for side in (lake, run))
    unequal = [int(shard, 16) for shard in left | right if left.get(shard) != right.get(shard)]
    if not unequal:
        return lake.slice(0, 0), run.slice(0, 0)
    kept = [
        side.filter(pa.array(np.isin(digests.shards(side.column("id")), unequal))) for side in (lake, run)
    ]
    return kept[0], kept[1]


def _odd_ids(lake: pa.Table, run: pa.Table) -> pa.Array:
    """Each id that has a row which the other side does not have, or has another number of times."""
    sides = [
        side.select(COMPARED).append_column("balance", pa.array(np.full(side.num_rows, one))).cast(_BALANCED)
        for side, one in ((lake, 1), (run, -1))
    ]
    rows = pa.concat_tables(sides).group_by(COMPARED).aggregate([("balance", "sum")])
    return rows.filter(pc.not_equal(rows.column("balance_sum"), 0)).column("id").combine_chunks().unique()


_BALANCED = pa.schema([*(ITEMS.schema.field(name) for name in COMPARED), pa.field("balance", pa.int64())])
Rows = Mapping[str, list[dict[str, Any]]]


def _rows(side: pa.Table, ids: pa.Array) -> Rows:
    found = defaultdict(list)
    for row in side.filter(pc.is_in(side.column("id"), ids)).to_pylist():
        found[row["id"]].append(row)
    return found


def _bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in COMPARED} for row in rows]


def _listed(ids: pa.Array, lake: Rows, run: Rows) -> tuple[Uncovered, ...]:
    out = []
    for name in ids.to_pylist():
        left, right = lake.get(name, []), run.get(name, [])
        kind = ("wrong" if right else "missing") if left else "extra"
        at = (left or right)[0]
        fields = differing_fields(ITEMS.name, _bare(left), _bare(right), {})
        out.append(Uncovered(name, kind, fields, (at["partition"], at["offset"])))
    return tuple(out)
