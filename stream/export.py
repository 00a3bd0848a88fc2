"""Export: the state, as it stands at its fence, written as a run in the format that the batch writes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from shared import run
from shared.contract import contract_id
from shared.errors import SourceError
from shared.fence import Fence
from shared.heads import key_id
from shared.lsh import left_out
from shared.spec import Spec, from_dict
from shared.stage_writer import StageWriter
from stream import state
from stream.bucket_traces import bucket_traces
from stream.postings import Bucket, bucket_of, most_members
from stream.stores.protocol import Reader, Store

CHUNK_BYTES = 16 * 2**20
SMALL = 128  # bytes that a row without features counts for
HOT_BUCKETS = 20

Row = tuple[Any, ...]  # in the order of the stage's schema, the shard first


def state_spec(store: Reader) -> Spec:
    """The spec a state was made with. SourceError for an empty state."""
    (value,) = store.get_many("meta", [state.META_CONTRACT])
    if value is None:
        raise SourceError("the state is empty: no consumer has started with it yet")
    state.require_format(store)
    return from_dict(orjson.loads(value)["spec"])


def state_fence(store: Reader) -> Fence:
    """Where a state stands: everything before it has been applied, and nothing after it."""
    source, offsets = store.get_many("meta", [state.META_SOURCE, state.META_OFFSETS])
    log = orjson.loads(source or b"{}")
    positions = {int(partition): offset for partition, offset in orjson.loads(offsets or b"{}").items()}
    return Fence.at(log.get("cluster", ""), log.get("topic", ""), positions)


def export(
    store: Store,
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
    if fence is not None and fence != at:
        raise SourceError(
            f"the state stands at {at.describe()} and not at the fence asked for, {fence.describe()}; "
            f"consume with --until-fence, or take a snapshot with --snapshot-at"
        )
    if output.exists() and any(output.iterdir()):
        raise SourceError(f"{output} is not empty; name a new folder, or remove it")
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
                writer.write(table)
                written += table.num_rows
                progress(stage.name, written)
        stages[stage.name] = run.stage_entry(output, stage, run.read_back(output, stage))
        seconds[stage.name] = round(time.monotonic() - started, 3)
    source = {"fence": at.to_json()} | ({"lake": str(lake)} if lake else {})
    versions = run.library_versions("kafka-python", "rocksdict")
    run.write_manifest(output, spec, "stream", versions, source, stages, counts(store, spec), seconds)
    return run.open_run(output)


def counts(store: Store, spec: Spec) -> dict[str, Any]:
    """What the state was given and holds, by name."""
    (totals,) = store.get_many("meta", [state.META_COUNTS])
    statuses: dict[str, int] = {}
    for _, value in store.scan("items"):
        status = state.unpack_item(value).status
        statuses[status] = statuses.get(status, 0) + 1
    reasons: dict[str, int] = {}
    for _, reason in store.scan("dead"):
        reasons[reason.decode()] = reasons.get(reason.decode(), 0) + 1
    known: dict[str, Any] = orjson.loads(totals or b"{}")
    known["dead_letters"] = reasons
    return known | {"statuses": statuses} | bucket_counts(store, spec)


def bucket_counts(store: Store, spec: Spec) -> dict[str, Any]:
    """The pairs that draws left out, and the HOT_BUCKETS that left out most; as the batch has them."""
    total = 0
    hot: list[tuple[int, int, int, int, int]] = []
    for key, value in store.scan("postings"):
        if (place := bucket_of(key)) is None:
            continue
        draws = spec.channels[place[0]].draws
        if most_members(value) <= 1 + draws.first + draws.near:
            continue  # every member draws all before it; so it is with nearly all buckets
        members = len(Bucket(key, value, lambda _: None))
        out = int(left_out(members, draws.first, draws.near))
        total += out
        if out:
            hot = sorted([*hot, (-out, *place, members)])[:HOT_BUCKETS]
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


def _scan(family: str, rows: Callable[[str, bytes], Iterator[Row]]) -> Callable[[Store, Spec], Iterator[Row]]:
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
