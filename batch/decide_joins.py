"""Cluster heads by Spark joins, for edges of any number. Twin: decide_driver.

Every item decides in every round from the heads of the last one; each round's state is written, which
cuts the lineage. It ends when nothing changes and nobody waits for a head check (DESIGN.md, section 1).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch.components import stars
from batch.decide_driver import ASSIGNED_SCHEMA
from batch.groups import group_starts, whole_groups
from batch.job import Job, add_up
from batch.pairs import PAIR_SCHEMA
from batch.tasks import Batches, Counts, Output, Outputs
from batch.verified import PAIRS_EACH, RESULT_SCHEMA, verify_batch, with_features
from shared.heads import BECOMES_HEAD, UNDECIDED, UNKNOWN, decide
from shared.similarity import NO_MATCH
from shared.spec import Channel


def decide_by_joins(job: Job) -> tuple[DataFrame, Counts]:
    """ASSIGNED_SCHEMA, at least of the items that join another (ranks). counts: rounds, head_checks."""
    parts = job.partitions(job.counts["verified"]["pairs"], PAIRS_EACH)
    job.spark.conf.set("spark.sql.shuffle.partitions", parts)
    results = job.read("verified", "results")
    edges = results.where(F.col("channel") != NO_MATCH)
    if job.spec.clusters.rule == "components":
        links, counts = stars(job, edges)
        return _with_strength(links, edges), {"rounds": 0, "head_checks": 0} | counts
    edges = edges.select("later", "earlier")
    heads = edges.groupBy(F.col("later").alias("item")).agg(F.min("earlier").alias("head"))
    known, checks, rounds = results, 0, 0
    while True:
        folder = job.work("clusters", f"round-{rounds}")
        counts = _round(job, edges, heads, known, parts, folder)
        rounds += 1
        if not counts["changed"] and not counts["needed"]:
            return job.spark.read.parquet(str(folder / "heads")), {"rounds": rounds, "head_checks": checks}
        heads = job.spark.read.parquet(str(folder / "heads")).select("item", "head")
        if counts["needed"]:
            known = known.unionByName(_check(job, folder, parts))
            checks += counts["needed"]


def _round(
    job: Job, edges: DataFrame, heads: DataFrame, known: DataFrame, parts: int, folder: Path
) -> Counts:
    """One round; writes heads (ASSIGNED_SCHEMA) and needed (PAIR_SCHEMA). counts: changed, needed."""
    of_earlier = heads.withColumnsRenamed({"item": "earlier", "head": "of_earlier"})
    possible = (
        edges.join(of_earlier, "earlier", "left")
        .select("later", F.coalesce("of_earlier", "earlier").alias("earlier"))
        .distinct()
    )
    rows = (
        possible.join(known, ["later", "earlier"], "left")
        .join(heads.withColumnsRenamed({"item": "later", "head": "last"}), "later")
        .select(
            "later",
            "earlier",
            F.coalesce("channel", F.lit(UNKNOWN)).alias("channel"),
            F.coalesce("numerator", F.lit(0)).alias("numerator"),
            F.coalesce("denominator", F.lit(0)).alias("denominator"),
            "last",
        )
        .repartition(parts, "later")
        .sortWithinPartitions("later", "earlier")
    )
    outputs = {
        "heads": Output(folder / "heads", ASSIGNED_SCHEMA),
        "needed": Output(folder / "needed", PAIR_SCHEMA),
    }
    return {"changed": 0, "needed": 0} | add_up(job.write(rows, _decide, **outputs))


def _decide(batches: Batches, outputs: Outputs) -> Counts:
    changed = needed = 0
    for table in whole_groups(batches, ["later"]):
        later, earlier, channel, numerator, denominator, last = (
            table.column(name).to_numpy()
            for name in ("later", "earlier", "channel", "numerator", "denominator", "last")
        )
        starts = group_starts(later)
        chosen = decide(starts, channel.astype(np.int8), numerator, denominator)
        item, before = later[starts[:-1]], last[starts[:-1]]
        joins = chosen >= 0
        row = chosen[joins]
        head = np.where(chosen == BECOMES_HEAD, item, before)  # who is undecided keeps the last one
        head[joins] = earlier[row]
        strength = np.zeros((3, len(item)), np.int64)
        strength[0] = NO_MATCH
        strength[:, joins] = channel[row], numerator[row], denominator[row]
        columns = [item, head, strength[0].astype(np.int32), strength[1], strength[2]]
        outputs.write("heads", pa.table(columns, schema=ASSIGNED_SCHEMA))
        changed += int((head != before).sum())
        waits = np.repeat(chosen == UNDECIDED, np.diff(starts)) & (channel == UNKNOWN)
        outputs.write("needed", pa.table([later[waits], earlier[waits]], schema=PAIR_SCHEMA))
        needed += int(waits.sum())
    return {"changed": changed, "needed": needed}


def _check(job: Job, folder: Path, parts: int) -> DataFrame:
    """RESULT_SCHEMA of the pairs that a round needed; each was asked for by one item only."""
    rows = with_features(job, job.spark.read.parquet(str(folder / "needed")), parts)
    task = partial(_verify_only, job.spec.channels)
    job.write(rows, task, checked=Output(folder / "checked", RESULT_SCHEMA))
    return job.spark.read.parquet(str(folder / "checked"))


def _verify_only(channels: Sequence[Channel], batches: Batches, outputs: Outputs) -> Counts:
    for batch in batches:
        outputs.write("checked", verify_batch(channels, batch))
    return {}


def _with_strength(links: DataFrame, edges: DataFrame) -> DataFrame:
    """ASSIGNED_SCHEMA: an item that has no edge with its head has no strength."""
    strength = edges.withColumnsRenamed({"later": "item", "earlier": "head"})
    return links.join(strength, ["item", "head"], "left").select(
        "item",
        "head",
        F.coalesce("channel", F.lit(NO_MATCH)).alias("channel"),
        F.coalesce("numerator", F.lit(0)).alias("numerator"),
        F.coalesce("denominator", F.lit(0)).alias("denominator"),
    )
