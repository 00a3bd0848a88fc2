"""Every in-process engine answers in the oracle's own terms, so that one test body judges them all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from shared.heads import key_id
from shared.records import RECORD_SCHEMA
from shared.spec import Spec, from_dict
from stream import state
from stream.bucket_traces import bucket_traces
from stream.microbatch import apply
from stream.stores.protocol import Store
from tests.histories import Record


@dataclass(frozen=True)
class Found:
    """The same fields as tests.oracle.Expected, as far as an engine's state shows them."""

    items: dict[str, dict[str, Any]]
    signatures: dict[tuple[str, str], tuple[int, ...]]
    records: dict[tuple[str, str], bytes]
    buckets: dict[str, tuple[int, int]]
    candidates: dict[str, tuple[int, int]]
    edges: dict[tuple[str, str], tuple[str, int, int]]
    clusters: dict[str, tuple[str, str, int, int]]
    dead: dict[tuple[int, int], str]


def record_table(records: Iterable[Record]) -> pa.Table:
    columns = list(zip(*records, strict=True)) or [(), (), (), ()]
    partition, offset, append_time, value = columns
    key = pa.nulls(len(partition), pa.binary())
    arrays = [partition, offset, append_time, key, value]
    return pa.table(
        [pa.array(a, f.type) for a, f in zip(arrays, RECORD_SCHEMA, strict=True)], schema=RECORD_SCHEMA
    )


def stream_through(store: Store, spec: Spec, batches: Iterable[list[Record]]) -> Found:
    """Apply micro-batches to a store, as the consumer does between its commits."""
    positions: dict[int, int] = {}
    for batch in batches:
        for partition, offset, *_ in batch:
            positions[partition] = offset + 1
        store.write(apply(spec, store, record_table(batch), positions).state.changes)
    return read_state(store, spec)


def replay_changes(
    store: Store, spec: Spec, batches: Iterable[list[Record]]
) -> tuple[dict[str, tuple[str, str, int, int]], dict[str, int]]:
    """(clusters, size of each head) as a reader of the topic `clusters` sees them."""
    positions: dict[int, int] = {}
    topic: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for partition, offset, *_ in batch:
            positions[partition] = offset + 1
        outcome = apply(spec, store, record_table(batch), positions)
        store.write(outcome.state.changes)
        for change in outcome.changes:
            value = change.value(spec)
            now = None if value is None else orjson.loads(value)
            before = topic.pop(change.id.decode(), None)
            told = {k: v for k, v in (now or {}).items() if k != "kind"}
            assert told != {k: v for k, v in (before or {}).items() if k != "kind"}, "nothing is said twice"
            if now is not None:
                topic[change.id.decode()] = now
    clusters = {
        item: (v["head"], v.get("channel", ""), v.get("numerator", 0), v.get("denominator", 0))
        for item, v in topic.items()
    }
    return clusters, {item: v["size"] for item, v in topic.items() if "size" in v}


def read_state(store: Store, spec: Spec) -> Found:
    name = [channel.name for channel in spec.channels]
    items, signatures, records, edges, clusters = {}, {}, {}, {}, {}
    for key, value in store.scan("items"):
        row = state.unpack_item(value)
        items[key[1:].decode()] = vars(row) | {"digest": row.digest.hex()}
    for key, value in store.scan("features"):
        pieces = state.unpack_pieces(value)
        for c, (signature, record) in enumerate(zip(pieces[::2], pieces[1::2], strict=True)):
            assert (signature is None) == (record is None)
            if signature is not None and record is not None:
                signatures[key[1:].decode(), name[c]] = tuple(np.frombuffer(signature, "<u4").tolist())
                records[key[1:].decode(), name[c]] = record
    for key, value in store.scan("edges"):
        for match in state.unpack_matches(value):
            strength = (name[match.channel], match.numerator, match.denominator)
            edges[key_id(match.other).decode(), key[1:].decode()] = strength
    for key, value in store.scan("clusters"):
        (match,) = state.unpack_matches(value)
        channel = "" if match.channel == state.NO_CHANNEL else name[match.channel]
        head = key_id(match.other).decode()
        clusters[key[1:].decode()] = (head, channel, match.numerator, match.denominator)
    dead = {
        (int.from_bytes(key[:4], "big"), int.from_bytes(key[4:], "big")): value.decode()
        for key, value in store.scan("dead")
    }
    buckets = {row[1]: row[2:] for row in bucket_traces(store, spec)}
    candidates = {key[1:].decode(): state.unpack_trace(value) for key, value in store.scan("candidates")}
    return Found(items, signatures, records, buckets, candidates, edges, clusters, dead)


def spec_of(data: dict[str, Any]) -> Spec:
    return from_dict(data)
