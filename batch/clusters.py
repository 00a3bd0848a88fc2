"""Who joins whom, and clusters/ of the run."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from batch.decide_driver import decide_on_driver
from batch.decide_joins import decide_by_joins
from batch.job import Job
from batch.partitions import by_shard
from batch.tasks import Batches, Counts, Outputs
from batch.verified import channel_names
from shared.run import CLUSTERS
from shared.sketch import INDEXED
from shared.spec import Channel

ITEMS_EACH = 250_000
_PAIR_BYTES = 48  # of a verified pair on the driver


def clusters(job: Job) -> Counts:
    """Writes clusters/ of the run, sorted by (shard, id).

    counts: decider, rounds, head_checks, clusters (of two items or more), members (of those).
    """
    decider = job.settings.decider or ("driver" if _fits(job) else "joins")
    if decider == "driver":
        table, counts = decide_on_driver(job)
        folder = job.work("clusters", "assigned")
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part-00000.parquet")
        assigned = job.read("clusters", "assigned")
    else:
        assigned, counts = decide_by_joins(job)
    joined = assigned.where("item <> head").agg(F.count("*"), F.countDistinct("head")).first()
    assert joined is not None

    items = sum(job.counts["features"]["status"].get(status, 0) for status in INDEXED)
    files = job.partitions(items, ITEMS_EACH)
    job.spark.conf.set("spark.sql.shuffle.partitions", files)
    index = job.read("features", "index").select("rank", "id", "shard")
    heads = index.select(F.col("rank").alias("head_rank"), F.col("id").alias("head"))
    strength = ["channel", "numerator", "denominator"]
    assigned = assigned.select("item", F.col("head").alias("joins"), *strength)
    rows = (
        index.join(assigned, F.col("rank") == F.col("item"), "left")
        .withColumn("head_rank", F.coalesce("joins", "rank"))
        .join(heads, "head_rank")
        .select("shard", "id", "head", *strength)
    )
    job.write(
        by_shard(rows, files, "id"),
        partial(_name, job.spec.channels),
        clusters=job.stage_output(CLUSTERS.name),
    )
    return {"decider": decider} | counts | {"clusters": joined[1], "members": joined[0] + joined[1]}


def _fits(job: Job) -> bool:
    pairs, index = job.counts["verified"]["pairs"], job.counts["features"]["index_bytes"]
    return bool(pairs * _PAIR_BYTES + index <= job.settings.driver_bytes)


def _name(channels: Sequence[Channel], batches: Batches, outputs: Outputs) -> Counts:
    for batch in batches:
        table = pa.table(batch)
        orders = table.column("channel").fill_null(-1).to_numpy().astype(np.int32)
        table = table.drop_columns(["channel", "numerator", "denominator"])
        for name in ("numerator", "denominator"):
            table = table.append_column(name, batch.column(name).fill_null(0))
        outputs.write(CLUSTERS.name, table.append_column("channel", channel_names(channels, orders)))
    return {}
