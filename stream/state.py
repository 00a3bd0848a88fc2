"""What the state holds: keys and values of each family, in one place.

An `item key` is the shard byte and the id, so that a scan yields items in a run's order. A `priority
key` (shared/heads.py) is an item's priority and id in one: sorted by it, items are in priority order.

    meta      names below -> JSON
    items     item key -> the winning event and its status
    versions  item key -> all events that may still win, with payloads; only with max_skew
    ages      be(time) + item key -> b"": when an item must be resolved again; only with retention
    features  item key -> signature and verification record of each channel
    postings  bucket (+ chunk) -> priority keys of its members in order; stream/postings.py
    candidates  item key -> how many earlier items it drew, and their trace (shared/traces.py)
    edges     item key of the later -> its matches among the earlier
    later     priority key of the earlier, length first, + priority key of the later -> b""
    clusters  item key -> the head's priority key and the strength
    members   item key of a head -> number of members, the head included
    dead      partition, offset -> reason
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shared.digests import shards
from shared.errors import SourceError
from shared.events import EVENT_SCHEMA, KINDS, OPS
from shared.heads import priority_key
from stream.stores.protocol import Reader

FORMAT = 2  # rises when older states cannot be read
META_FORMAT = b"format"
META_CONTRACT = b"contract"  # {"id", "contract", "spec"}
META_SOURCE = b"source"  # {"cluster", "topic", "name"} of the items topic
META_OFFSETS = b"offsets"  # {partition: next offset}: the truth about what the state holds
META_COUNTS = b"counts"  # records, events and so on, since the beginning
META_WATERMARK = b"watermark"  # integer ms

NO_CHANNEL = -1

_ITEM = struct.Struct("<Bqqqqiq32s")
_MATCH = struct.Struct("<bII")
_EVENT = struct.Struct("<BqqiqB32sI")
_LENGTH = struct.Struct("<i")
_AGE = 2**63  # makes signed times sort as unsigned big-endian
_TRACE = struct.Struct("<Qq")


def require_format(store: Reader) -> None:
    """SourceError where a state was made by a version whose states this one cannot read."""
    (value,) = store.get_many("meta", [META_FORMAT])
    if value != b"%d" % FORMAT:
        found = "an older format" if value is None else f"format {value[:20]!r}"
        raise SourceError(
            f"{store.name} has {found}, and this version of crossfade reads format {FORMAT}; name a new "
            f"--state folder and consume the topic again"
        )


def item_keys(ids: pa.Array | pa.ChunkedArray) -> list[bytes]:
    """The item key of each id (a string array)."""
    return [
        bytes((shard,)) + item.encode()
        for shard, item in zip(shards(ids).tolist(), ids.to_pylist(), strict=True)
    ]


@dataclass(frozen=True)
class Item:
    """The winning event of an id, without its payload, and the status it gave."""

    op: str
    event_time: int
    append_time: int
    version_time: int
    effective_time: int
    partition: int
    offset: int
    digest: bytes
    status: str

    def priority_key(self, item: bytes) -> bytes:
        return priority_key(self.effective_time, self.version_time, item)

    def pack(self) -> bytes:
        return (
            _ITEM.pack(
                OPS.index(self.op),
                self.event_time,
                self.append_time,
                self.version_time,
                self.effective_time,
                self.partition,
                self.offset,
                self.digest,
            )
            + self.status.encode()
        )


def unpack_item(value: bytes) -> Item:
    op, event_time, append_time, version_time, effective_time, partition, offset, digest = _ITEM.unpack_from(
        value
    )
    status = value[_ITEM.size :].decode()
    return Item(
        OPS[op], event_time, append_time, version_time, effective_time, partition, offset, digest, status
    )


def pack_events(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows of EVENT_SCHEMA of one id, payloads and all."""
    return b"".join(
        _EVENT.pack(
            OPS.index(row["op"]),
            row["event_time"],
            row["append_time"],
            row["partition"],
            row["offset"],
            KINDS.index(row["kind"]),
            row["digest"],
            len(row["payload"]),
        )
        + row["payload"]
        for row in rows
    )


def unpack_events(item: str, value: bytes) -> list[dict[str, Any]]:
    rows, at = [], 0
    while at < len(value):
        op, event_time, append_time, partition, offset, kind, digest, size = _EVENT.unpack_from(value, at)
        at += _EVENT.size
        payload = value[at : at + size]
        at += size
        row = (item, OPS[op], event_time, append_time, digest, partition, offset, KINDS[kind], payload)
        rows.append(dict(zip(EVENT_SCHEMA.names, row, strict=True)))
    _require_end(value, at)
    return rows


@dataclass(frozen=True)
class Match:
    """A match with `other` (a priority key). `channel` is its order in the spec, or NO_CHANNEL."""

    other: bytes
    channel: int
    numerator: int
    denominator: int


def pack_matches(matches: Sequence[Match]) -> bytes:
    return b"".join(
        _LENGTH.pack(len(match.other))
        + match.other
        + _MATCH.pack(match.channel, match.numerator, match.denominator)
        for match in matches
    )


def unpack_matches(value: bytes) -> list[Match]:
    matches, at = [], 0
    while at < len(value):
        (size,) = _LENGTH.unpack_from(value, at)
        at += _LENGTH.size
        if size < 0:  # it would go on for ever
            raise ValueError("a length in it is negative")
        other = value[at : at + size]
        at += size
        matches.append(Match(other, *_MATCH.unpack_from(value, at)))
        at += _MATCH.size
    return matches


def pack_trace(count: int, trace: int) -> bytes:
    return _TRACE.pack(count, trace)


def unpack_trace(value: bytes) -> tuple[int, int]:
    """(count, trace)"""
    count, trace = _TRACE.unpack(value)
    return count, trace


def pack_pieces(pieces: Sequence[bytes | None]) -> bytes:
    """Byte strings that may be absent, in one."""
    return b"".join(
        _LENGTH.pack(-1) if piece is None else _LENGTH.pack(len(piece)) + piece for piece in pieces
    )


def unpack_pieces(value: bytes) -> list[bytes | None]:
    pieces: list[bytes | None] = []
    at = 0
    while at < len(value):
        (size,) = _LENGTH.unpack_from(value, at)
        at += _LENGTH.size
        pieces.append(None if size < 0 else value[at : at + size])
        at += max(size, 0)
    _require_end(value, at)
    return pieces


def _require_end(value: bytes, at: int) -> None:
    """ValueError unless the last part of a record ends where the record does."""
    if at != len(value):
        raise ValueError("it ends too early")


def unpack_later(key: bytes) -> tuple[bytes, bytes]:
    """The priority keys (earlier, later) of a key of `later`."""
    (size,) = _LENGTH.unpack_from(key)
    if size < 0:
        raise ValueError("a length in it is negative")
    end = _LENGTH.size + size
    return key[_LENGTH.size : end], key[end:]


def age_key(time_ms: int, item: bytes) -> bytes:
    """The key of `ages` that says when an item (its item key) must be resolved again."""
    return (time_ms + _AGE).to_bytes(8, "big") + item


def age_time(key: bytes) -> int:
    return int.from_bytes(key[:8], "big") - _AGE


def later_prefix(earlier: bytes) -> bytes:
    """The prefix of all `later` keys of an item, by its priority key."""
    return _LENGTH.pack(len(earlier)) + earlier
