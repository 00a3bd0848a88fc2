"""Rows, lines and files as event values: the one place where an event's JSON is made."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from shared.errors import SourceError
from shared.payloads import read_payload

MAX_BYTES = 2**31 - 1  # of a file that is read for its sha256: the greatest limit a spec can set


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns (Parquet) or members (JSONL) of a row make an event.

    text, vector, uri: at most one; with none a row is a complete event already: JSONL lines pass
    through, of Parquet the column `value` holds the JSON. op: None = all upserts. sha256: None = the
    file behind each URI is read for it; relative URIs then start at the source's folder.
    fixed_event_time: milliseconds, in place of the column or of a picture's file time.
    """

    id: str = "id"
    event_time: str = "event_time"
    op: str | None = None
    text: str | None = None
    vector: str | None = None
    uri: str | None = None
    sha256: str | None = None
    fixed_event_time: int | None = None

    def __post_init__(self) -> None:
        if len(self._payloads()) > 1:
            raise SourceError("of the text, vector and uri columns only one can be the payload")
        if self.sha256 is not None and self.uri is None:
            raise SourceError("a sha256 column goes with a uri column")

    def _payloads(self) -> list[tuple[str, str]]:
        pairs = (("text", self.text), ("vector", self.vector), ("uri", self.uri))
        return [(member, column) for member, column in pairs if column is not None]

    @property
    def payload(self) -> tuple[str, str] | None:
        """(member of the payload, column), or None where rows are complete events."""
        return next(iter(self._payloads()), None)

    def named(self) -> list[str]:
        """The columns that must be there."""
        if self.payload is None:
            return ["value"]
        time = self.event_time if self.fixed_event_time is None else None
        return [name for name in (self.id, time, self.op, self.payload[1], self.sha256) if name is not None]


def event_value(item: object, op: object, event_time: object, payload: object = None) -> bytes:
    """The JSON of an event, UTF-8. Anything goes in: what is no event becomes a dead letter downstream."""
    event = {"id": item, "op": op, "event_time": event_time}
    return _encode(event if payload is None else event | {"payload": payload})


def event_key(value: bytes) -> bytes:
    """The id's UTF-8 bytes, which is the record's key; b"" where there is no id to find."""
    try:
        item = orjson.loads(value)["id"]
        return item.encode("utf-8") if isinstance(item, str) else b""
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return b""


def event_values(table: pa.Table, columns: ColumnOptions, source: Path) -> pa.Array:
    """pa.BinaryArray of one event value a row. SourceError: a column is missing or of the wrong type.

    A row that lacks its id, time or payload still gives a value. Reads files only where columns.uri is
    set without columns.sha256; `source` names the table in errors.
    """
    for name in columns.named():
        if name not in table.column_names:
            hint = "" if columns.payload else "; name the column of the payload: text, vector or uri"
            raise SourceError(f"{source} has no column {name!r} but {', '.join(table.column_names)}{hint}")
    if columns.payload is None:
        return pa.array(_strings(table, "value", source, as_bytes=True), pa.binary())
    member, body = columns.payload
    plain: dict[str, list[Any]] = {columns.id: _ids(table, columns.id, source)}
    plain[body] = _vectors(table, body, source) if member == "vector" else _strings(table, body, source)
    if columns.fixed_event_time is None:
        plain[columns.event_time] = _times(table, columns.event_time, source)
    for option in (columns.op, columns.sha256):
        if option is not None:
            plain[option] = _strings(table, option, source, as_hex=option == columns.sha256)
    rows = (dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True))
    return pa.array([_row_value(row, columns, source.parent) for row in rows], pa.binary())


def line_values(lines: list[bytes], columns: ColumnOptions, source: Path) -> pa.Array:
    """pa.BinaryArray of one event value a JSONL line.

    Complete events, and lines that are no JSON object, stay as they are, byte for byte.
    """
    if columns.payload is None:
        return pa.array(lines, pa.binary())
    rows = [json_object(line) for line in lines]
    values = [
        line if row is None else _row_value(row, columns, source.parent)
        for line, row in zip(lines, rows, strict=True)
    ]
    return pa.array(values, pa.binary())


def json_object(line: bytes) -> dict[str, Any] | None:
    """The object on a line, or None."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _row_value(row: Mapping[str, Any], columns: ColumnOptions, folder: Path) -> bytes:
    """The event of a row; without its id or time where the row has none, so that the reason names it."""
    assert columns.payload is not None
    event: dict[str, Any] = {"op": row.get(columns.op, "upsert") if columns.op else "upsert"}
    if columns.id in row:
        item = row[columns.id]
        event["id"] = str(item) if type(item) is int else item
    if columns.fixed_event_time is not None:
        event["event_time"] = columns.fixed_event_time
    elif columns.event_time in row:
        event["event_time"] = row[columns.event_time]
    member, body = columns.payload
    if event["op"] != "delete" and body in row:
        event["payload"] = {member: row[body]}
        if member == "uri":
            event["payload"] = _uri_payload(row[body], row.get(columns.sha256 or ""), columns, folder)
    return _encode(event)


def _uri_payload(uri: object, digest: object, columns: ColumnOptions, folder: Path) -> dict[str, object]:
    """Without a digest where nothing can be read: such an item gets the status payload_invalid."""
    if columns.sha256 is not None or not isinstance(uri, str):
        return {"uri": uri, "sha256": digest}
    if "://" not in uri:
        uri = str(folder.resolve() / uri)
    data = read_payload(uri.encode("utf-8", "surrogateescape"), MAX_BYTES)
    return {"uri": uri} if data is None else {"uri": uri, "sha256": hashlib.sha256(data).hexdigest()}


def _encode(event: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # unpaired surrogates (a file name that is not UTF-8) or an integer over 64 bits
        return json.dumps(event).encode("ascii")


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    column = table.column(name)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _strings(
    table: pa.Table, name: str, source: Path, *, as_bytes: bool = False, as_hex: bool = False
) -> list[Any]:
    """str, bytes or hexadecimal digits of a string or binary column; None where null."""
    column = _column(table, name)
    kind = column.type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (binary or string or pa.types.is_null(kind)):
        raise SourceError(f"column {name!r} of {source} is of type {kind}; it must be string or binary")
    values: list[Any] = column.cast(pa.large_binary()).to_pylist()
    if as_bytes:
        return values
    if as_hex and binary:
        return [None if value is None else value.hex() for value in values]
    # Bytes that are not UTF-8 become unpaired surrogates, which no event may have: they get a reason.
    return [None if value is None else value.decode("utf-8", "surrogateescape") for value in values]


def _ids(table: pa.Table, name: str, source: Path) -> list[Any]:
    column = _column(table, name)
    if pa.types.is_integer(column.type):
        ids: list[Any] = column.to_pylist()
        return ids
    return _strings(table, name, source)


def _vectors(table: pa.Table, name: str, source: Path) -> list[list[float] | None]:
    kind = table.column(name).type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    number = kind.value_type if listed else kind
    numbers = pa.types.is_floating(number) or pa.types.is_integer(number)
    if not ((listed and numbers) or pa.types.is_null(number)):
        raise SourceError(f"column {name!r} of {source} is of type {kind}; it must be a list of numbers")
    vectors: list[list[float] | None] = table.column(name).to_pylist()
    return vectors


def _times(table: pa.Table, name: str, source: Path) -> list[int | None]:
    """Integer milliseconds of an integer or timestamp column (rounded down; no zone means UTC)."""
    column = table.column(name)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        times: list[int | None] = column.to_pylist()
        return times
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("s")), pa.timestamp("s")
    if not pa.types.is_timestamp(kind):
        raise SourceError(
            f"column {name!r} of {source} is of type {kind}; it must be integer milliseconds or a timestamp"
        )
    per_second = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[kind.unit]
    ticks = column.cast(pa.int64()).to_pylist()
    return [None if tick is None else tick * 1000 // per_second for tick in ticks]
