"""The priority of every winner as one integer, its rank from 0.

Later stages sort, draw, join and decide by rank alone instead of by (effective time, version time, id).
Two shuffles of a few bytes an item: into priority order, where the place in the order is the rank, and
back to the place in winners/, so that ranks/ has a file for each of its files, row by row.
"""

from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa

from batch import tasks
from batch.job import MOST_PARTITIONS, Job
from batch.tasks import Batches, Counts, Output, Outputs

ROWS_EACH = 500_000
_BATCH_ROWS = 65_536

_PLACE = pa.schema([("file", pa.int32()), ("row", pa.int64())])
_RANK = pa.schema([("rank", pa.int64())])


def ranks(job: Job) -> Counts:
    """Writes ranks/ranks, aligned with winners/. counts: ranked."""
    files, rows = job.counts["winners"]["files"], job.counts["winners"]["winners"]
    ranges = job.settings.partitions or min(MOST_PARTITIONS, max(1, -(-rows // ROWS_EACH)))
    ordered = (
        tasks.numbered(job.spark, files)
        .mapInArrow(
            partial(_priorities, job.work("winners")),
            "effective_time long, version_time long, id string, file int, row long",
        )
        .repartitionByRange(ranges, "effective_time", "version_time", "id")
        .sortWithinPartitions("effective_time", "version_time", "id")
    )
    places = job.work("ranks", "order")
    counts = job.write(ordered, _keep_places, order=Output(places, _PLACE))
    starts = list(accumulate((entry["rows"] for entry in counts), initial=0))
    ranked = (
        tasks.numbered(job.spark, len(counts))
        .mapInArrow(partial(_number, places, starts), "file int, row long, rank long")
        .repartitionById(files, "file")
        .sortWithinPartitions("row")
    )
    job.write(ranked, _keep_ranks, ranks=Output(job.work("ranks", "ranks"), _RANK))
    return {"ranked": starts[-1]}


def _priorities(folder: Path, batches: Batches) -> Batches:
    for file in _ids(batches):
        row = 0
        for batch in tasks.read_part(folder, file, _BATCH_ROWS, ["effective_time", "version_time", "id"]):
            place = np.arange(row, row + batch.num_rows)
            yield (
                batch.select(["effective_time", "version_time", "id"])
                .append_column("file", pa.array(np.full(batch.num_rows, file, np.int32)))
                .append_column("row", pa.array(place))
            )
            row += batch.num_rows


def _keep_places(batches: Batches, outputs: Outputs) -> Counts:
    rows = 0
    for batch in batches:
        outputs.write("order", pa.table(batch.select(["file", "row"])))
        rows += batch.num_rows
    return {"rows": rows}


def _number(folder: Path, starts: list[int], batches: Batches) -> Batches:
    for part in _ids(batches):
        rank = starts[part]
        for batch in tasks.read_part(folder, part, _BATCH_ROWS):
            yield batch.append_column("rank", pa.array(np.arange(rank, rank + batch.num_rows)))
            rank += batch.num_rows


def _keep_ranks(batches: Batches, outputs: Outputs) -> Counts:
    for batch in batches:
        outputs.write("ranks", pa.table(batch.select(["rank"])))
    return {}


def _ids(batches: Batches) -> Iterator[int]:
    for batch in batches:
        yield from batch.column(0).to_pylist()
