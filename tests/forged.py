"""Runs and states that are not what an engine would write: real ones, with some rows changed afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from shared import digests
from shared.run import MANIFEST, STAGES, open_run, read_back, stage_entry
from shared.stage_writer import StageWriter

Rows = list[dict[str, Any]]


def copy_run(run: Path, to: Path, stage: str, change: Callable[[Rows], Rows]) -> Path:
    """A copy of a run with other rows in one table, and a manifest that says that all is well."""
    shutil.copytree(run, to)
    opened, table = open_run(to), STAGES[stage]
    rows = change(opened.read(stage).to_pylist())
    found = pa.Table.from_pylist([dict(row, shard=0) for row in rows], table.schema)
    shards = pa.array(digests.shards(found.column(table.shard_by)), pa.int32())
    found = found.set_column(0, table.schema.field("shard"), shards)
    shutil.rmtree(to / stage)
    with StageWriter(to / stage / "part-0.parquet", table.schema, opened.contract_id) as writer:
        writer.write(found.sort_by([("shard", "ascending"), (table.shard_by, "ascending")]))
    manifest = orjson.loads((to / MANIFEST).read_bytes())
    manifest["stages"][stage] = stage_entry(to, table, read_back(to, table))
    (to / MANIFEST).write_bytes(orjson.dumps(manifest))
    return to


def without(**values: Any) -> Callable[[Rows], Rows]:
    """Drops the rows that have these values."""
    return lambda rows: [row for row in rows if not _has(row, values)]


def changed(where: dict[str, Any], **values: Any) -> Callable[[Rows], Rows]:
    """Gives the rows that have the first values the others."""
    return lambda rows: [row | values if _has(row, where) else row for row in rows]


def _has(row: dict[str, Any], values: dict[str, Any]) -> bool:
    return all(row[name] == value for name, value in values.items())
