"""Export: the state, as it stands at its fence, written as a run in the format that the batch writes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from shared import run
from shared.contract import contract_id
from shared.digests import shards
from shared.durable import require_new
from shared.errors import SourceError
from shared.fence import Fence
from shared.heads import key_id
from shared.lsh import left_out
from shared.shape import shown
from shared.spec import Spec
from shared.stage_writer import StageWriter
from shared.versions import NEVER
from stream import state
from stream.bucket_traces import bucket_traces
from stream.checked import Checked
from stream.meta import state_counts, state_fence, state_spec, state_watermark
from stream.postings import BUCKET_KEY, Bucket, bucket_place, most_members
from stream.stores.protocol import AGAIN, Reader

CHUNK_BYTES = 16 * 2**20
SMALL = 128  # bytes that a row without features counts for
HOT_BUCKETS = 20

Row = tuple[Any, ...]  # in the order of the stage's schema, the shard first


def export(
    store: Reader,
    output: Path,
    fence: Fence | None = None,
    lake: Path | None = None,
    progress: Callable[[str, int], None] = lambda stage, rows: None,
) -> run.Run:
    """Write the run folder `output`, the manifest last. The state must stand exactly at `fence`, if given.

    lake: the lake that the run claims to cover, for the manifest. progress(stage, its rows so far) is called
    now and then.
    """
    spec, at = state_spec(store), state_fence(store)
    unchecked, store = store, Checked(store, spec)
    if fence is not None and fence != at:
        raise SourceError(
            f"the state stands at {at.describe()} and not at the fence asked for, {fence.describe()}; "
            f"consume with --until-fence, or take a snapshot with --snapshot-at"
        )
    require_new(output, "name a new folder, or remove it")
    stages, seconds = {}, {}
    for stage, rows in (
        (run.ITEMS, _scan("items", _items)),
        (run.SIGNATURES, _scan("features", _signatures(spec))),
        (run.VERIFICATION, _scan("features", _verification(spec))),
        (run.BUCKETS, bucket_traces),
        (run.CANDIDATES, _scan("candidates", _candidates)),
        (run.EDGES, _scan("edges", _edges(spec))),
        (run.CLUSTERS, _scan("clusters", _clusters(spec))),
    ):
        started, written = time.monotonic(), 0
        with StageWriter(output / stage.name / "part-0.parquet", stage.schema, contract_id(spec)) as writer:
            for table in _tables(rows(store, spec), stage.schema):
                _require_shards(store, stage, table)
                writer.write(table)
                written += table.num_rows
                progress(stage.name, written)
        stages[stage.name] = run.stage_entry(output, stage, run.read_back(output, stage))
        seconds[stage.name] = round(time.monotonic() - started, 3)
    source: dict[str, Any] = {"fence": at.to_json()} | ({"lake": str(lake)} if lake else {})
    if (watermark := state_watermark(unchecked, NEVER)) != NEVER:
        source["watermark_ms"] = watermark
    versions = run.library_versions("kafka-python", "rocksdict")
    found = counts(store) | bucket_counts(unchecked, spec)  # all postings have been checked by now
    run.write_manifest(output, spec, "stream", versions, source, stages, found, seconds)
    return run.open_run(output)


def counts(store: Reader) -> dict[str, Any]:
    """What the state was given and holds, by name, but for `bucket_counts`."""
    statuses: dict[str, int] = {}
    for _, value in store.scan("items"):
        status = state.unpack_item(value).status
        statuses[status] = statuses.get(status, 0) + 1
    reasons: dict[str, int] = {}
    for _, reason in store.scan("dead"):
        reasons[reason.decode()] = reasons.get(reason.decode(), 0) + 1
    return state_counts(store) | {"dead_letters": reasons, "statuses": statuses}


def bucket_counts(store: Reader, spec: Spec) -> dict[str, Any]:
    """The pairs that draws left out, and the HOT_BUCKETS that left out most; as the batch has them."""
    total = 0
    hot: list[tuple[int, int, int, int, int]] = []
    drawn = [1 + channel.draws.first + channel.draws.near for channel in spec.channels]
    for key, value in store.scan("postings"):
        if len(key) != BUCKET_KEY or most_members(value) <= drawn[key[0]]:
            continue  # every member draws all before it; so it is with nearly all buckets
        members, draws = len(Bucket(key, value, lambda _: None)), spec.channels[key[0]].draws
        out = int(left_out(members, draws.first, draws.near))
        total += out
        if out:
            hot = sorted([*hot, (-out, *bucket_place(key), members)])[:HOT_BUCKETS]
    return {
        "left_out": total,
        "hot_buckets": [
            {
                "channel": spec.channels[channel].name,
                "band": band,
                "bucket": f"{bucket:016x}",
                "members": members,
                "left_out": -out,
            }
            for out, channel, band, bucket, members in hot
        ],
    }


def _require_shards(store: Reader, stage: run.Stage, table: pa.Table) -> None:
    """SourceError where a key has not the shard byte of its id: nobody looks for such a record."""
    wrong = table.column("shard").to_numpy() != shards(table.column(stage.shard_by))
    if wrong.any():
        item = table.column(stage.shard_by)[int(np.argmax(wrong))].as_py()
        raise SourceError(
            f"{store.name}: the record of {shown(item)} for {stage.name} has another shard in its key "
            f"than the id's; {AGAIN}"
        )


def _scan(
    family: str, rows: Callable[[str, bytes], Iterator[Row]]
) -> Callable[[Reader, Spec], Iterator[Row]]:
    """The rows of each entry of a family whose keys are item keys."""
    return lambda store, spec: (
        (key[0], *row) for key, value in store.scan(family) for row in rows(key[1:].decode(), value)
    )


def _tables(rows: Iterator[Row], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows, some CHUNK_BYTES of what is in them at a time."""
    found: list[Row] = []
    size = 0
    for row in rows:
        found.append(row)
        size += len(row[-1]) if isinstance(row[-1], bytes) else SMALL
        if size >= CHUNK_BYTES:
            yield _table(found, schema)
            found, size = [], 0
    yield _table(found, schema)


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _items(name: str, value: bytes) -> Iterator[Row]:
    row = vars(state.unpack_item(value))
    yield (name, *(row[column] for column in run.ITEMS.schema.names[2:]))


def _signatures(spec: Spec) -> Callable[[str, bytes], Iterator[Row]]:
    return lambda name, value: _pieces(spec, name, state.unpack_pieces(value)[::2])


def _verification(spec: Spec) -> Callable[[str, bytes], Iterator[Row]]:
    return lambda name, value: _pieces(spec, name, state.unpack_pieces(value)[1::2])


def _pieces(spec: Spec, name: str, pieces: list[bytes | None]) -> Iterator[Row]:
    for channel, piece in zip(spec.channels, pieces, strict=True):
        if piece is not None:
            yield name, channel.name, piece


def _candidates(name: str, value: bytes) -> Iterator[Row]:
    yield (name, *state.unpack_trace(value))


def _edges(spec: Spec) -> Callable[[str, bytes], Iterator[Row]]:
    return lambda name, value: (
        (key_id(match.other).decode(), name, *_strength(spec, match)) for match in state.unpack_matches(value)
    )


def _clusters(spec: Spec) -> Callable[[str, bytes], Iterator[Row]]:
    return lambda name, value: (
        (name, key_id(match.other).decode(), *_strength(spec, match)) for match in state.unpack_matches(value)
    )


def _strength(spec: Spec, match: state.Match) -> tuple[str, int, int]:
    channel = "" if match.channel == state.NO_CHANNEL else spec.channels[match.channel].name
    return channel, match.numerator, match.denominator
