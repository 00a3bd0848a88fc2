"""Buckets and draws. Signatures -> (bucket, rank) in order -> the drawn pairs, the entries' traces.

No bucket is ever held whole: of one that goes on in the next Arrow batch, `lsh.carry` keeps the few
members that later ones can still draw.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch.drawing import Drawing, describe, hottest
from batch.groups import group_starts
from batch.job import Job
from batch.tasks import Batches, Counts, Output, Outputs
from shared import lsh, traces
from shared.spec import Channel

Int64s = npt.NDArray[np.int64]

PAIR_SCHEMA = pa.schema([("later", pa.int64()), ("earlier", pa.int64())])
ENTRY_SCHEMA = pa.schema([("rank", pa.int64()), ("entries", pa.int64()), ("trace", pa.int64())])
ROWS_EACH = 1_000_000  # bucket entries a partition

_PAIRS_HELD = 1_000_000
_NONE = np.empty(0, np.int64)


def pairs(job: Job) -> Counts:
    """Writes pairs/pairs: (later, earlier) ranks, a pair at most once a partition; and pairs/entries:
    what the buckets held of each rank (ENTRY_SCHEMA), in parts to be added up.

    counts: drawn (rows), buckets, left_out (later, earlier pairs that the draws left out), hot (the
    buckets that left out most).
    """
    channels = job.spec.channels
    signatures = job.counts["features"]["signatures"]
    entries = sum(signatures[channel.name] * channel.bands.count for channel in channels)
    columns = [f"s{c}" for c in range(len(channels))]
    buckets = (
        job.read("features", "index")
        .select("rank", *columns)
        .mapInArrow(partial(_explode, channels), "slot int, bucket long, rank long")
        .repartition(job.partitions(entries, ROWS_EACH), "slot", "bucket")
        .sortWithinPartitions("slot", "bucket", "rank")
    )
    counts = job.write(
        buckets,
        partial(_draw, channels),
        pairs=Output(job.work("pairs", "pairs"), PAIR_SCHEMA),
        entries=Output(job.work("pairs", "entries"), ENTRY_SCHEMA),
    )
    hot = hottest((*bucket,) for entry in counts for bucket in entry["hot"])
    return {
        "drawn": sum(entry["drawn"] for entry in counts),
        "buckets": sum(entry["buckets"] for entry in counts),
        "left_out": sum(entry["left_out"] for entry in counts),
        "hot": [describe(channels, bucket) for bucket in hot],
    }


def _explode(channels: Sequence[Channel], batches: Batches) -> Batches:
    """A row an item and band. slot = the band's number among all bands of all channels; bucket = the
    bits of the uint64 as int64, since Spark has no unsigned integers (only equality matters)."""
    for batch in batches:
        first_slot = 0
        for c, channel in enumerate(channels):
            rows, found = lsh.item_buckets(batch.column(f"s{c}"), channel)
            rank = batch.column("rank").to_numpy()[rows]
            slots = np.arange(first_slot, first_slot + channel.bands.count, dtype=np.int32)
            yield pa.record_batch(
                {
                    "slot": pa.array(np.tile(slots, len(rank))),
                    "bucket": pa.array(found.reshape(-1).view(np.int64)),
                    "rank": pa.array(np.repeat(rank, channel.bands.count)),
                }
            )
            first_slot += channel.bands.count


def _draw(channels: Sequence[Channel], batches: Batches, outputs: Outputs) -> Counts:
    drawing = Drawing(channels)
    drawn = 0
    later: list[Int64s] = []
    earlier: list[Int64s] = []

    def flush() -> int:
        table = distinct_pairs(np.concatenate([_NONE, *later]), np.concatenate([_NONE, *earlier]))
        outputs.write("pairs", table)
        later.clear()
        earlier.clear()
        return len(table)

    for batch in batches:
        slot, bucket, rank = (
            batch.column(name).to_numpy().astype(np.int64) for name in ("slot", "bucket", "rank")
        )
        outputs.write("entries", _entries(slot, bucket, rank))
        found = drawing.draw(slot, bucket, rank)
        later.append(found[0])
        earlier.append(found[1])
        if sum(map(len, later)) >= _PAIRS_HELD:
            drawn += flush()
    drawn += flush()
    drawing.finish()
    return {
        "drawn": drawn,
        "buckets": drawing.buckets,
        "left_out": drawing.left_out,
        "hot": drawing.hot,
    }


def _entries(slot: Int64s, bucket: Int64s, rank: Int64s) -> pa.Table:
    """ENTRY_SCHEMA of these bucket entries, a row a rank."""
    order = np.argsort(rank, kind="stable")
    starts = group_starts(rank[order])
    hashes = traces.entry_hashes(slot, bucket.view(np.uint64))[order]
    trace = traces.sums(hashes, starts).view(np.int64)
    return pa.table([rank[order][starts[:-1]], np.diff(starts), trace], schema=ENTRY_SCHEMA)


def distinct_pairs(later: Int64s, earlier: Int64s) -> pa.Table:
    """PAIR_SCHEMA, sorted, each pair once."""
    order = np.lexsort((earlier, later))
    later, earlier = later[order], earlier[order]
    first = group_starts(later, earlier)[:-1]
    return pa.table([later[first], earlier[first]], schema=PAIR_SCHEMA)
