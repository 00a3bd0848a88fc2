"""buckets/ and candidates/ of the run: what the engine held and drew, added up an item."""

from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from batch.groups import group_starts, whole_groups
from batch.job import Job
from batch.partitions import by_shard
from batch.tasks import Batches, Counts, Outputs
from shared import traces as sums
from shared.run import BUCKETS, CANDIDATES, Stage

ITEMS_EACH = 500_000


def traces(job: Job) -> Counts:
    """counts: rows in buckets/ and in candidates/."""
    index = job.read("features", "index").select("rank", "id", "shard")
    entries = job.read("pairs", "entries").join(index, "rank").select("shard", "id", "entries", "trace")
    return {
        "buckets": _write(job, BUCKETS, entries),
        "candidates": _write(job, CANDIDATES, job.read("verified", "candidates")),
    }


def _write(job: Job, stage: Stage, parts: DataFrame) -> int:
    files = job.partitions(sum(job.counts["features"]["status"].values()), ITEMS_EACH)
    job.spark.conf.set("spark.sql.shuffle.partitions", files)
    rows = by_shard(parts, files, "id")
    counts = job.write(rows, partial(_add_up, stage), **{stage.name: job.stage_output(stage.name)})
    return sum(entry["rows"] for entry in counts)


def _add_up(stage: Stage, batches: Batches, outputs: Outputs) -> Counts:
    """Parts with one id are adjacent, and become its row."""
    rows = 0
    for table in whole_groups(batches, ["id"]):
        codes = table.column("id").combine_chunks().dictionary_encode().indices.to_numpy()
        starts = group_starts(codes.astype(np.int64))
        first = pa.array(starts[:-1])
        added = [
            sums.sums(table.column(name).to_numpy().view(np.uint64), starts).view(np.int64)
            for name in stage.schema.names[2:]
        ]
        shard, ids = (table.column(name).take(first) for name in ("shard", "id"))
        outputs.write(stage.name, pa.table([shard, ids, *added], schema=stage.schema))
        rows += len(first)
    return {"rows": rows}
