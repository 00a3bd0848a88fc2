"""Records -> events and dead letters; every record is in exactly one of them."""

from collections import Counter
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from batch import tasks
from batch.inputs import Input, Split
from batch.job import DEAD_LETTERS, Job, add_up
from batch.tasks import Batches, Counts, Output, Outputs
from shared import digests, versions
from shared import events as parsing
from shared.spec import Times

SCHEMA = parsing.EVENT_SCHEMA.insert(0, pa.field("shard", pa.int32()))


def events(job: Job) -> Counts:
    """Writes events/ and, in the run itself, dead_letters/.

    counts: records, events, dead_letters {reason: records}, watermark (ms).
    """
    splits = list(job.input.splits)
    parts = max(1, min(len(splits), 4 * job.spark.sparkContext.defaultParallelism))
    counts = job.write(
        tasks.numbered(job.spark, parts),
        partial(_parse, job.input, splits, parts, job.spec.times),
        events=Output(job.work("events", "events"), SCHEMA),
        dead=Output(job.run / DEAD_LETTERS, parsing.DEAD_SCHEMA),
    )
    watermark = max((entry.pop("watermark") for entry in counts), default=versions.NEVER)
    none = {"records": 0, "events": 0, "dead_letters": {}}
    return add_up([none, *counts]) | {"watermark": watermark}


def _parse(
    source: Input, splits: list[Split], parts: int, times: Times, batches: Batches, outputs: Outputs
) -> Counts:
    records = alive = 0
    reasons: Counter[str] = Counter()
    watermark = versions.NEVER
    for split in splits[outputs.partition :: parts]:
        for table in source.records(split):
            parsed = parsing.parse(table)
            shard = pa.array(digests.shards(parsed.events.column("id")), pa.int32())
            outputs.write("events", parsed.events.add_column(0, "shard", shard))
            outputs.write("dead", parsed.dead)
            watermark = max(watermark, versions.watermark(parsed.events, times))
            records += table.num_rows
            alive += parsed.events.num_rows
            for entry in pc.value_counts(parsed.dead.column("reason")).to_pylist():
                reasons[entry["values"]] += entry["counts"]
    return {"records": records, "events": alive, "dead_letters": dict(reasons), "watermark": watermark}
