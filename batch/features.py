"""Payloads -> statuses, signatures and verification records, each item once."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from batch import tasks
from batch.job import Job, add_up
from batch.tasks import Batches, Counts, Output, Outputs
from shared.run import ITEMS, SIGNATURES, VERIFICATION
from shared.sketch import INDEXED, Sketched, sketch
from shared.spec import Spec

FOLDERS = (ITEMS.name, SIGNATURES.name, VERIFICATION.name)

_ITEMS = 1024  # sketched together
_PAYLOAD_BYTES = 32 * 2**20  # the same, whichever is less


def index_schema(channels: int) -> pa.Schema:
    """The indexed items with all features side by side, for the joins: rank, id, shard, s0, r0, s1, ..."""
    schema = pa.schema([("rank", pa.int64()), ("id", pa.string()), ("shard", pa.int32())])
    for c in range(channels):
        schema = schema.append(pa.field(f"s{c}", pa.binary())).append(pa.field(f"r{c}", pa.binary()))
    return schema


def features(job: Job) -> Counts:
    """Writes items/, signatures/, verification/ of the run and index/ for the next stages.

    counts: status {status: items}, signatures {channel: items}, index_bytes (of index/, in memory).
    """
    task = partial(_sketch, job.spec, job.work("winners"), job.work("ranks", "ranks"))
    counts = job.write(
        tasks.numbered(job.spark, job.counts["winners"]["files"]),
        task,
        index=Output(job.work("features", "index"), index_schema(len(job.spec.channels))),
        **{name: job.stage_output(name) for name in FOLDERS},
    )
    none = {"status": {}, "signatures": {channel.name: 0 for channel in job.spec.channels}, "index_bytes": 0}
    return add_up([none, *counts])


def _sketch(spec: Spec, winners: Path, ranks: Path, batches: Batches, outputs: Outputs) -> Counts:
    counts: Counts = {}
    file = tasks.part_file(ranks, outputs.partition)
    rank = pq.read_table(file).column("rank").to_numpy() if file.exists() else np.empty(0, np.int64)
    done = 0
    for table in _pieces(winners, outputs.partition):
        found = sketch(spec, table)
        index_bytes = _write(spec, table, rank[done : done + table.num_rows], found, outputs)
        done += table.num_rows
        counts = add_up([counts, _count(spec, found), {"index_bytes": index_bytes}])
    return counts


def _pieces(winners: Path, part: int) -> Iterator[pa.Table]:
    for batch in tasks.read_part(winners, part, _ITEMS):
        table = pa.table(batch)
        sizes = np.cumsum(pc.binary_length(table.column("payload")).to_numpy())
        start = 0
        while start < table.num_rows:
            before = sizes[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(sizes, before + _PAYLOAD_BYTES, "right")))
            yield table.slice(start, stop - start)
            start = stop


def _write(
    spec: Spec, winners: pa.Table, rank: npt.NDArray[np.int64], found: Sketched, outputs: Outputs
) -> int:
    outputs.write(ITEMS.name, winners.append_column("status", pa.array(found.status, pa.string())))
    head = winners.select(["shard", "id"])
    index = head.append_column("rank", pa.array(rank))
    for c, feature in enumerate(found.features):
        index = index.append_column(f"s{c}", feature.signatures).append_column(f"r{c}", feature.records)
    index = index.filter(pa.array(np.isin(found.status.astype(str), INDEXED)))
    outputs.write("index", index)
    names = [channel.name for channel in spec.channels]
    outputs.write(SIGNATURES.name, _long(head, names, "signature", [f.signatures for f in found.features]))
    outputs.write(VERIFICATION.name, _long(head, names, "record", [f.records for f in found.features]))
    return int(index.nbytes)


def _long(head: pa.Table, channels: list[str], value: str, columns: list[pa.Array]) -> pa.Table:
    """A row an item and channel with a value, by item and then in the spec's order of channels."""
    rows = [np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)) for column in columns]
    table = pa.concat_tables(
        head.take(pa.array(at))
        .append_column("channel", pa.array([name] * len(at), pa.string()))
        .append_column(value, column.take(pa.array(at)))
        for name, at, column in zip(channels, rows, columns, strict=True)
    )
    return table.take(pa.array(np.argsort(np.concatenate(rows), kind="stable")))


def _count(spec: Spec, found: Sketched) -> Counts:
    names, counts = np.unique(found.status.astype(str), return_counts=True)
    signatures = {
        channel.name: len(feature.signatures) - feature.signatures.null_count
        for channel, feature in zip(spec.channels, found.features, strict=True)
    }
    return {"status": dict(zip(names.tolist(), counts.tolist(), strict=True)), "signatures": signatures}
