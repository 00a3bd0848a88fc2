"""The version rule and the times it rests on. Definitions: docs/semantics.md, "Times and versions".

`resolve` works on whole tables, so a stream calls it with what it kept plus a micro-batch and a
batch job with all events of a shard of ids; the answer is the same by construction.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import SourceError
from shared.events import EVENT_SCHEMA
from shared.spec import Times

Int64s = npt.NDArray[np.int64]

WINNER_SCHEMA = EVENT_SCHEMA.append(pa.field("version_time", pa.int64())).append(
    pa.field("effective_time", pa.int64())
)
NEVER = -(2**62)  # the watermark of no records, and a horizon that nothing is below


@dataclass(frozen=True)
class Resolved:
    """winners: WINNER_SCHEMA, one row an id, by id. kept: EVENT_SCHEMA, to be given to later calls again."""

    winners: pa.Table
    kept: pa.Table


def watermark(events: pa.Table, times: Times) -> int:
    """The greatest min(event_time, append_time + max_skew) of these records; NEVER of none."""
    if not events.num_rows:
        return NEVER
    return int(_version_times(events, times).max())


def horizon(watermark_ms: int, times: Times) -> int:
    """Events whose version time is below this do not count."""
    return NEVER if times.retention_ms is None else max(NEVER, watermark_ms - times.retention_ms)


def resolve(events: pa.Table, times: Times, horizon_ms: int = NEVER) -> Resolved:
    """The winner of each id. `events` (EVENT_SCHEMA) may repeat events and be in any order.

    Without max_skew only the winner can ever matter again, so it alone is kept. With it, the first
    append of any event may still be found to be earlier, which lowers its version time: then every
    event is kept until its own event_time is below the horizon, from where it can count no more.
    """
    events = _first_appends(events)
    version = _version_times(events, times)
    counts = version >= horizon_ms
    counted, version = events.filter(pa.array(counts)), version[counts]
    order = pc.sort_indices(
        counted.select(["id", "op", "digest", "event_time"]).append_column("version_time", pa.array(version)),
        sort_keys=[(name, "descending") for name in ("id", "version_time")]
        # "delete" < "upsert", so ascending puts a delete first
        + [("op", "ascending"), ("digest", "descending"), ("event_time", "descending")],
    )
    order = order.take(pa.array(np.flatnonzero(_starts(counted.column("id").take(order)))[::-1]))
    winners, version = counted.take(order), version[order.to_numpy()]
    effective = version
    if times.max_lateness_ms is not None:
        effective = np.maximum(version, winners.column("append_time").to_numpy() - times.max_lateness_ms)
    kept = winners
    if times.max_skew_ms is not None:
        kept = events.filter(pc.greater_equal(events.column("event_time"), horizon_ms))
    winners = winners.append_column("version_time", pa.array(version)).append_column(
        "effective_time", pa.array(effective)
    )
    return Resolved(winners.combine_chunks(), kept.combine_chunks())


def _first_appends(events: pa.Table) -> pa.Table:
    """Of the records that repeat one event, the one with the least (append_time, partition, offset)."""
    identity = ["id", "event_time", "op", "digest"]
    order = pc.sort_indices(
        events.select([*identity, "append_time", "partition", "offset"]),
        sort_keys=[(name, "ascending") for name in [*identity, "append_time", "partition", "offset"]],
    )
    events = events.take(order)
    first = np.zeros(events.num_rows, dtype=bool)
    for name in identity:
        first |= _starts(events.column(name))
    return events.filter(pa.array(first))


def _starts(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """bool[n]: where a sorted column takes a new value."""
    starts = np.ones(len(column), dtype=bool)
    if len(column) > 1:
        values = pa.concat_arrays(column.chunks)
        starts[1:] = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return starts


def _version_times(events: pa.Table, times: Times) -> Int64s:
    version: Int64s = events.column("event_time").to_numpy()
    if times.need_append_time:
        append: Int64s = events.column("append_time").to_numpy()
        if len(append) and append.min() < 0:
            raise SourceError(
                "the spec sets times.max_skew_ms or times.max_lateness_ms, and the input has records without "
                "an append time; read it from a log with LogAppendTime or a lake made from one"
            )
        if times.max_skew_ms is not None:
            version = np.minimum(version, append + times.max_skew_ms)
    return version
