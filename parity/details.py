"""The fields of the differences that are listed, read once it is known which they are."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity.fields import differing_fields
from parity.result import Difference, FieldDifference
from parity.rows import KEYS, parts
from shared import digests
from shared.run import STAGES, Run

_TABLES = {
    "event": "items",
    "features": "verification",
    "signature": "signatures",
    "match": "edges",
    "cluster": "clusters",
}
Key = tuple[str, ...]
Rows = dict[Key, list[dict[str, Any]]]


def with_fields(a: Run, b: Run, differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same differences with the fields of their rows. Reads the shards they are in, a part at a time."""
    ids: dict[str, set[str]] = defaultdict(set)
    for difference in differences:
        ids[_TABLES[difference.cause]].add(difference.id)
    found = {table: _fields(a, b, table, wanted) for table, wanted in ids.items()}
    return tuple(replace(d, fields=_of(d, found[_TABLES[d.cause]][d.id])) for d in differences)


def _of(difference: Difference, rows: dict[Key, tuple[FieldDifference, ...]]) -> tuple[FieldDifference, ...]:
    """Of an edge its own; of features and signatures all channels'."""
    wanted = difference.earlier
    return tuple(
        field for key, fields in sorted(rows.items()) if wanted in (None, key[-1]) for field in fields
    )


def _fields(a: Run, b: Run, table: str, ids: set[str]) -> dict[str, dict[Key, tuple[FieldDifference, ...]]]:
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
