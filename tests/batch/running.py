"""Records -> a lake -> a backfill -> what the run says, in the oracle's own terms."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from batch.backfill import Progress, backfill
from batch.inputs import open_input
from batch.job import Settings
from shared.fence import Fence
from shared.lake import Lake, write_lake, write_lake_file
from shared.run import Run
from shared.source_events import ColumnOptions
from shared.spec import from_dict
from tests.engines import Found, record_table
from tests.histories import Record


def make_lake(folder: Path, records: Iterable[Record]) -> Path:
    """A lake of these records, each partition in files of at most 100 offsets."""
    table = record_table(records)
    folder.mkdir()
    files, ends = [], {}
    for partition in sorted(set(table.column("partition").to_pylist())):
        rows = table.filter(pc.equal(table.column("partition"), partition))
        ends[partition] = max(rows.column("offset").to_pylist()) + 1
        for base in range(0, ends[partition], 100):
            end = min(base + 100, ends[partition])
            offsets = rows.column("offset")
            part = rows.filter(pc.and_(pc.greater_equal(offsets, base), pc.less(offsets, end)))
            files.append(write_lake_file(folder, partition, base, end, part))
    write_lake(folder, Lake("items", Fence.at("cluster", "topic", ends), tuple(files)))
    return folder


def run_backfill(
    spark: SparkSession,
    spec: dict[str, Any],
    source: Path,
    output: Path,
    settings: Settings | None = None,
    progress: Progress = lambda stage, counts, seconds: None,
) -> Run:
    opened = open_input([source], ColumnOptions())
    return backfill(lambda: spark, from_dict(spec), opened, output, settings, progress)


def all_digests(run: Run) -> dict[str, dict[str, str]]:
    return {name: run.digests(name) for name in run.manifest["stages"]}


def read_run(run: Run) -> Found:
    def rows(stage: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run.read(stage).drop_columns(["shard"]).to_pylist()
        return found

    items = {row.pop("id"): row | {"digest": row["digest"].hex()} for row in rows("items")}
    signatures = {
        (row["id"], row["channel"]): tuple(np.frombuffer(row["signature"], "<u4").tolist())
        for row in rows("signatures")
    }
    records = {(row["id"], row["channel"]): row["record"] for row in rows("verification")}
    edges = {(row["earlier"], row["later"]): _strength(row) for row in rows("edges")}
    clusters = {row["id"]: (row["head"], *_strength(row)) for row in rows("clusters")}
    dead = {
        (row["partition"], row["offset"]): row["reason"]
        for file in (run.path / "dead_letters").glob("*.parquet")
        for row in pq.read_table(file).to_pylist()
    }
    buckets = {row["id"]: (row["entries"], row["trace"]) for row in rows("buckets")}
    candidates = {row["id"]: (row["pairs"], row["trace"]) for row in rows("candidates")}
    return Found(items, signatures, records, buckets, candidates, edges, clusters, dead)


def _strength(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["channel"], row["numerator"], row["denominator"]


def as_toml(spec: dict[str, Any]) -> str:
    """A spec of tables, lists of tables, strings, integers and booleans, as TOML."""
    lines = []
    for name, value in spec.items():
        if isinstance(value, list):
            lines += [f"{name} = [{', '.join(_inline(entry) for entry in value)}]"]
        else:
            lines += [f"{name} = {_inline(value)}"]
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_inline(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value)
