"""Records to events: one parser for both engines. Definitions: docs/semantics.md, "Record and event"."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

MAX_ID_BYTES = 1024
MAX_TIME = 2**53
NO_TIME = 2**63 - 1

OPS = ("upsert", "delete")
KINDS = ("none", "text", "vector", "uri", "invalid")
DEAD_REASONS = ("not_json", "missing_field", "id_invalid", "id_too_long", "op_unknown", "event_time_invalid")

EVENT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("op", pa.string()),
        ("event_time", pa.int64()),
        ("append_time", pa.int64()),
        ("digest", pa.binary()),  # 32 bytes
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("kind", pa.string()),
        ("payload", pa.binary()),
    ]
)
DEAD_SCHEMA = pa.schema(
    [("partition", pa.int32()), ("offset", pa.int64()), ("reason", pa.string()), ("value", pa.binary())]
)

_NO_DIGEST = bytes(32)
_INVALID_DIGEST = b"\xff" * 32
_HEX64 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True)
class Parsed:
    """events: EVENT_SCHEMA; dead: DEAD_SCHEMA. Every record is in exactly one of them."""

    events: pa.Table
    dead: pa.Table


def parse(records: pa.Table) -> Parsed:
    """Events and dead letters of a table of records (RECORD_SCHEMA), each in the records' order."""
    values = records.column("value").to_pylist()
    outcomes = [_parse(value) for value in values]
    good = np.array([type(outcome) is tuple for outcome in outcomes], dtype=bool)
    rows = [outcome for outcome in outcomes if type(outcome) is tuple]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    position = records.select(["append_time", "partition", "offset"]).combine_chunks()
    alive = position.filter(pa.array(good))
    events = pa.table(
        [
            pa.array(columns[0], pa.string()),
            pa.array(columns[1], pa.string()),
            pa.array(columns[2], pa.int64()),
            alive.column("append_time"),
            pa.array(columns[3], pa.binary()),
            alive.column("partition"),
            alive.column("offset"),
            pa.array(columns[4], pa.string()),
            pa.array(columns[5], pa.binary()),
        ],
        schema=EVENT_SCHEMA,
    )
    dropped = position.filter(pa.array(~good))
    dead = pa.table(
        [
            dropped.column("partition"),
            dropped.column("offset"),
            pa.array([outcome for outcome in outcomes if type(outcome) is str], pa.string()),
            pa.array([values[i] for i in np.flatnonzero(~good)], pa.binary()),
        ],
        schema=DEAD_SCHEMA,
    )
    return Parsed(events, dead)


def event_times(records: pa.Table) -> npt.NDArray[np.int64]:
    """int64[n]: the event time of each record (RECORD_SCHEMA); NO_TIME where there is none."""
    return np.array([_event_time(value) for value in records.column("value").to_pylist()], np.int64)


def _event_time(value: bytes | None) -> int:
    try:
        found = orjson.loads(value or b"").get("event_time")
    except (orjson.JSONDecodeError, AttributeError):
        return NO_TIME
    return found if _is_time(found) else NO_TIME


def _is_time(value: Any) -> bool:
    return type(value) is int and -MAX_TIME <= value <= MAX_TIME


def _parse(value: bytes | None) -> tuple[str, str, int, bytes, str, bytes] | str:
    """(id, op, event_time, digest, kind, payload bytes), or the reason why it is no event."""
    try:
        data = orjson.loads(value) if value is not None else None
    except orjson.JSONDecodeError:
        return "not_json"
    if type(data) is not dict:
        return "not_json"
    if "id" not in data or "op" not in data or "event_time" not in data:
        return "missing_field"
    item, op, event_time = data["id"], data["op"], data["event_time"]
    if type(item) is not str or not item:
        return "id_invalid"
    if len(item.encode()) > MAX_ID_BYTES:
        return "id_too_long"
    if op not in OPS:
        return "op_unknown"
    if not _is_time(event_time):
        return "event_time_invalid"
    if op == "delete":
        return item, op, event_time, _NO_DIGEST, "none", b""
    return (item, op, event_time, *_payload(data.get("payload")))


def _payload(payload: Any) -> tuple[bytes, str, bytes]:
    """(digest, kind, payload bytes)."""
    if type(payload) is dict:
        members = [name for name in ("text", "vector", "uri") if name in payload]
        if members == ["text"] and type(payload["text"]) is str:
            text = payload["text"].encode()
            return hashlib.sha256(text).digest(), "text", text
        elif members == ["vector"] and type(payload["vector"]) is list:
            numbers = payload["vector"]
            if all(type(number) in (int, float) for number in numbers):
                vector = np.array(numbers, dtype="<f8").tobytes()
                return hashlib.sha256(vector).digest(), "vector", vector
        elif members == ["uri"] and type(payload["uri"]) is str:
            declared = payload.get("sha256")
            if type(declared) is str and _HEX64.fullmatch(declared):
                return bytes.fromhex(declared), "uri", payload["uri"].encode()
    return _INVALID_DIGEST, "invalid", b""
