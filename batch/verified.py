"""Every drawn pair verified once; the matches are the edges."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch import mapped
from batch.groups import group_starts
from batch.job import Job, add_up
from batch.partitions import by_shard
from batch.tasks import Batches, Counts, Output, Outputs, Task
from shared import digests, traces
from shared.run import CANDIDATES, EDGES
from shared.similarity import NO_MATCH, ChannelFeatures, Matches, verify
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
    """Writes verified/results (RESULT_SCHEMA, matches or not), verified/edges, not sorted yet, and
    verified/candidates: what each item drew (CANDIDATES.schema), in parts to be added up.

    counts: pairs, edges.
    """
    drawn = job.counts["pairs"]["drawn"]
    parts = job.partitions(drawn, PAIRS_EACH)
    job.spark.conf.set("spark.sql.shuffle.partitions", parts)
    pairs = job.read("pairs", "pairs").distinct()
    task: Task
    if mapped.fits(job):
        file = job.work("verified", "index.arrow")
        mapped.write_mapped(job, file)
        rows, task = pairs, partial(_verify_mapped, job.spec.channels, file)
    else:
        rows, task = with_features(job, pairs, parts), partial(_verify, job.spec.channels)
    counts = job.write(
        rows,
        task,
        results=Output(job.work("verified", "results"), RESULT_SCHEMA),
        edges=Output(job.work("verified", "edges"), EDGES.schema),
        candidates=Output(job.work("verified", "candidates"), CANDIDATES.schema),
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
    return _results(batch, verify(channels, features, rows, rows + n))


def _results(batch: pa.RecordBatch, matches: Matches) -> pa.Table:
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
    counts: Counts = {}
    for batch in batches:
        result, ids = verify_batch(channels, batch), (batch.column("l_id"), batch.column("e_id"))
        outputs.write("candidates", _candidates(ids[0], traces.id_hashes(ids[1])))
        counts = add_up([counts, _write(channels, result, *ids, outputs)])
    return counts


def _verify_mapped(channels: Sequence[Channel], file: Path, batches: Batches, outputs: Outputs) -> Counts:
    counts: Counts = {}
    index = mapped.open_mapped(file, len(channels))
    hashes = traces.id_hashes(index.ids)
    for batch in batches:
        later, earlier = (index.rows(batch.column(name).to_numpy()) for name in ("later", "earlier"))
        result = _results(batch, verify(channels, index.features, later, earlier))
        ids = index.ids.take(pa.array(later)), index.ids.take(pa.array(earlier))
        outputs.write("candidates", _candidates(ids[0], hashes[earlier]))
        counts = add_up([counts, _write(channels, result, *ids, outputs)])
    return counts


def _write(
    channels: Sequence[Channel], result: pa.Table, later: pa.Array, earlier: pa.Array, outputs: Outputs
) -> Counts:
    """Write results, and the matches among them with the ids of both."""
    outputs.write("results", result)
    found = pa.array(np.flatnonzero(result.column("channel").to_numpy() != NO_MATCH))
    match, later, earlier = result.take(found), later.take(found), earlier.take(found)
    orders = match.column("channel").to_numpy()
    columns = {
        "shard": pa.array(digests.shards(later), pa.int32()),
        "earlier": earlier,
        "later": later,
        "channel": channel_names(channels, orders),
        "numerator": match.column("numerator"),
        "denominator": match.column("denominator"),
    }
    outputs.write("edges", pa.table(columns))
    return {"pairs": result.num_rows, "edges": len(found)}


def _candidates(later: pa.Array, earlier: npt.NDArray[np.uint64]) -> pa.Table:
    """CANDIDATES.schema of these drawn pairs: the later's id, the hash of the earlier's."""
    encoded = later.dictionary_encode()
    order = np.argsort(encoded.indices.to_numpy(), kind="stable")
    starts = group_starts(encoded.indices.to_numpy().astype(np.int64)[order])
    trace = traces.sums(earlier[order], starts).view(np.int64)
    ids = encoded.dictionary  # in the order of their numbers, each with a row
    shards = pa.array(digests.shards(ids), pa.int32())
    return pa.table([shards, ids, np.diff(starts), trace], schema=CANDIDATES.schema)


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
