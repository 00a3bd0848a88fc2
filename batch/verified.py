"""Every drawn pair verified once; the matches are the edges."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch.job import Job, add_up
from batch.partitions import by_shard
from batch.tasks import Batches, Counts, Output, Outputs
from shared import digests
from shared.run import EDGES
from shared.similarity import NO_MATCH, ChannelFeatures, verify
from shared.spec import Channel

# The result of a pair of ranks; channel is its order in the spec, or NO_MATCH.
RESULT_SCHEMA = pa.schema(
    [
        ("later", pa.int64()),
        ("earlier", pa.int64()),
        ("channel", pa.int32()),
        ("numerator", pa.int64()),
        ("denominator", pa.int64()),
    ]
)
PAIRS_EACH = 100_000
EDGES_EACH = 250_000


def verified(job: Job) -> Counts:
    """Writes verified/results (RESULT_SCHEMA, matches or not) and verified/edges, not sorted yet.

    counts: pairs, edges.
    """
    drawn = job.counts["pairs"]["drawn"]
    parts = job.partitions(drawn, PAIRS_EACH)
    rows = with_features(job, job.read("pairs").distinct(), parts)
    counts = job.write(
        rows,
        partial(_verify, job.spec.channels),
        results=Output(job.work("verified", "results"), RESULT_SCHEMA),
        edges=Output(job.work("verified", "edges"), EDGES.schema),
    )
    return {"pairs": 0, "edges": 0} | add_up(counts)


def edges(job: Job) -> Counts:
    """Writes edges/ of the run. counts: files."""
    files = job.partitions(job.counts["verified"]["edges"], EDGES_EACH)
    rows = by_shard(job.read("verified", "edges"), files, "later", "earlier")
    job.write(rows, _copy, edges=job.stage_output(EDGES.name))
    return {"files": files}


def with_features(job: Job, pairs: DataFrame, parts: int) -> DataFrame:
    """Each pair (later, earlier) with the index rows of both: columns l_... and e_..."""
    job.spark.conf.set("spark.sql.shuffle.partitions", parts)
    index = job.read("features", "index")
    later, earlier = (
        index.select([F.col(name).alias(f"{side}_{name}") for name in index.columns]) for side in ("l", "e")
    )
    pairs = pairs.join(earlier, pairs["earlier"] == earlier["e_rank"])
    return pairs.join(later, pairs["later"] == later["l_rank"])


def verify_batch(channels: Sequence[Channel], batch: pa.RecordBatch) -> pa.Table:
    """RESULT_SCHEMA of a batch of `with_features`, row by row."""
    n = batch.num_rows
    features = [
        ChannelFeatures(
            pa.concat_arrays([batch.column(f"l_s{c}"), batch.column(f"e_s{c}")]),
            pa.concat_arrays([batch.column(f"l_r{c}"), batch.column(f"e_r{c}")]),
        )
        for c in range(len(channels))
    ]
    rows = np.arange(n)
    matches = verify(channels, features, rows, rows + n)
    return pa.table(
        [
            batch.column("later"),
            batch.column("earlier"),
            pa.array(matches.channel.astype(np.int32)),
            pa.array(matches.numerator),
            pa.array(matches.denominator),
        ],
        schema=RESULT_SCHEMA,
    )


def _verify(channels: Sequence[Channel], batches: Batches, outputs: Outputs) -> Counts:
    pairs = matches = 0
    for batch in batches:
        result = verify_batch(channels, batch)
        outputs.write("results", result)
        found = np.flatnonzero(result.column("channel").to_numpy() != NO_MATCH)
        both = (
            pa.table(batch)
            .select(["e_id", "l_id"])
            .take(pa.array(found))
            .rename_columns(["earlier", "later"])
        )
        match = result.take(pa.array(found))
        outputs.write(
            "edges",
            both.append_column("shard", pa.array(digests.shards(both.column("later")), pa.int32()))
            .append_column("channel", channel_names(channels, match.column("channel").to_numpy()))
            .append_column("numerator", match.column("numerator"))
            .append_column("denominator", match.column("denominator")),
        )
        pairs += batch.num_rows
        matches += len(found)
    return {"pairs": pairs, "edges": matches}


def channel_names(
    channels: Sequence[Channel], orders: "np.ndarray[tuple[int], np.dtype[np.int32]]"
) -> pa.Array:
    """The name of each channel order; "" for one below 0."""
    names = np.array(["", *(channel.name for channel in channels)], object)
    return pa.array(names[np.maximum(orders, -1) + 1], pa.string())


def _copy(batches: Batches, outputs: Outputs) -> Counts:
    for batch in batches:
        outputs.write("edges", pa.table(batch))
    return {}
