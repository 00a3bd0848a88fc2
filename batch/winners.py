"""The version rule. Events, shuffled to (shard, id) order -> the winner of each id."""

from functools import partial

import pyarrow as pa

from batch import digesting
from batch.groups import whole_groups
from batch.job import Job, add_up
from batch.partitions import by_shard
from batch.tasks import Batches, Counts, Output, Outputs
from shared import digests, versions
from shared.spec import Times

SCHEMA = versions.WINNER_SCHEMA.insert(0, pa.field("shard", pa.int32()))
ROWS_EACH = 50_000  # events a partition
# The features of a file are one task. Of pictures that is 20 to 40 ms each, so there are as many tasks as let
# all cores end together and show progress, but none of less than some seconds.
IMAGES_WORTH_A_TASK, IMAGE_TASKS_A_CORE = 128, 16

_IDENTITY = ["id", "op", "event_time", "digest"]  # records with these equal are one event


def winners(job: Job) -> Counts:
    """Writes winners/, one file a partition of shards, sorted by (shard, id).

    counts: winners, files (partitions), event_set (a digest of the distinct events).
    """
    seen = job.counts["events"]
    many = (IMAGES_WORTH_A_TASK, IMAGE_TASKS_A_CORE) if job.spec.kind == "image" else ()
    files = job.partitions(seen["events"], ROWS_EACH, *many)
    horizon = versions.horizon(seen["watermark"], job.spec.times)
    counts = job.write(
        by_shard(job.read("events", "events"), files, "id"),
        partial(_resolve, job.spec.times, horizon),
        winners=Output(job.work("winners"), SCHEMA),
    )
    events = digesting.total(digesting.unpack(entry.pop("event_set")) for entry in counts)
    return add_up(counts) | {"files": files, "event_set": digesting.name_of(events)}


def _resolve(times: Times, horizon: int, batches: Batches, outputs: Outputs) -> Counts:
    count, events = 0, digests.empty()
    for table in whole_groups(batches, ["id"]):
        distinct = table.select(_IDENTITY).group_by(_IDENTITY).aggregate([])
        events += digests.digest(distinct, "id", _IDENTITY)
        found = versions.resolve(table.drop_columns(["shard"]), times, horizon).winners
        shard = pa.array(digests.shards(found.column("id")), pa.int32())
        found = found.add_column(0, "shard", shard).sort_by([("shard", "ascending"), ("id", "ascending")])
        outputs.write("winners", found)
        count += found.num_rows
    return {"winners": count, "event_set": digesting.pack(events)}
