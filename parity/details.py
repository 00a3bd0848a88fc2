"""The fields of the differences that are listed, read once it is known which they are."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity.fields import FieldDifference, differing_fields
from parity.result import Difference
from parity.rows import KEYS, parts
from shared import digests
from shared.run import STAGES, Run

_TABLES = {
    "event": ("items",),
    "features": ("items", "verification"),
    "signature": ("signatures",),
    "bucket": ("buckets",),
    "candidate": ("candidates",),
    "match": ("edges",),
    "cluster": ("clusters",),
}
Key = tuple[str, ...]
Rows = dict[Key, list[dict[str, Any]]]
Fields = dict[str, dict[Key, tuple[FieldDifference, ...]]]  # id -> key -> what differs
Found = dict[str, Fields]  # by table


def with_fields(a: Run, b: Run, differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same differences with the fields of their rows. Reads the shards they are in, a part at a time."""
    ids: dict[str, set[str]] = defaultdict(set)
    for difference in differences:
        for table in _TABLES[difference.cause]:
            ids[table] |= {difference.id, difference.earlier or difference.id}
    found = {table: _fields(a, b, table, wanted) for table, wanted in ids.items()}
    return tuple(replace(d, fields=tuple(_of(d, found)) or _EQUAL) for d in differences)


# Found only where a run was held against itself: parity/unmoved.py.
_EQUAL = (FieldDifference("row", None, None, "equal in both, and does not follow from its own run"),)


def _of(difference: Difference, found: Found) -> Iterator[FieldDifference]:
    """Of an edge its own, the same edge the other way round too; of features and signatures all channels'."""
    for table in _TABLES[difference.cause]:
        rows = found[table]
        for key, fields in sorted(rows.get(difference.id, {}).items()):
            if difference.earlier in (None, key[-1]):
                yield from fields
        turned = (difference.earlier or "", difference.id)
        if difference.kind == "wrong" and turned in rows.get(turned[0], {}):
            yield FieldDifference("ends", None, None, "the other side has them swapped")


def _fields(a: Run, b: Run, table: str, ids: set[str]) -> Fields:
    """id -> key -> the fields in which the key's rows differ."""
    rules = {channel["name"]: channel["match"]["rule"] for channel in a.manifest["contract"]["channels"]}
    wanted = pa.array(sorted(ids), pa.string())
    out: dict[str, dict[Key, tuple[FieldDifference, ...]]] = defaultdict(dict)
    for shards in parts(a, b, table, sorted({int(shard) for shard in digests.shards(wanted)})):
        left, right = (_rows(run, table, shards, wanted) for run in (a, b))
        for key in left.keys() | right.keys():
            rows_a, rows_b = left.get(key, []), right.get(key, [])
            if rows_a != rows_b:
                out[key[0]][key] = differing_fields(table, rows_a, rows_b, rules)
    return out


def _rows(run: Run, table: str, shards: list[int], ids: pa.Array) -> Rows:
    stage = STAGES[table]
    rows = run.read(table, shards, list(stage.digested))
    found: Rows = defaultdict(list)
    for row in rows.filter(pc.is_in(rows.column(stage.shard_by), ids)).to_pylist():
        found[tuple(row[name] for name in KEYS[table])].append(row)
    return found
