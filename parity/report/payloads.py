"""What a lake holds of a few items, as a page can show it: a small picture, or the beginning of a text."""

import hashlib
import io
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from parity.thumbnails import Thumbnail, thumbnail
from shared.events import parse
from shared.lake import records_at, require_lake
from shared.uris import locate

EXCERPT = 240  # characters
PICTURES = 500  # in one page: some 5 MB


@dataclass(frozen=True)
class Record:
    """Where an item's winning event is, and what it must hold."""

    id: str
    status: str
    digest: bytes
    partition: int
    offset: int


@dataclass(frozen=True)
class Payload:
    """One of them, or why there is none."""

    picture: Thumbnail | None = None
    excerpt: str = ""
    lacks: str = ""


def read_payloads(folder: Path, wanted: Collection[Record], max_bytes: int) -> dict[Record, Payload]:
    """The payload of each record, the first PICTURES pictures in order of id. max_bytes: of a payload.

    A picture is shown only if it is a local file that may be read at all (shared/uris.py) and has the
    digest that its event declares: so it is the one that was compared, and whoever wrote the event had it.
    Memory: a row group of the lake, and the pictures as they are shown. Raises SourceError where the
    lake cannot be read.
    """
    found = dict.fromkeys(wanted, Payload(lacks="the lake has no such record"))
    shown = 0
    for record, kind, data in sorted(_events(folder, wanted), key=lambda event: event[0].id):
        found[record] = _payload(record, kind, data, max_bytes, shown < PICTURES)
        shown += found[record].picture is not None
    return found


def _events(folder: Path, wanted: Collection[Record]) -> Iterator[tuple[Record, str, bytes]]:
    """(record, kind, payload) of those that are in the lake as the run has them."""
    for file in require_lake(folder).files:
        own = {
            record.offset: record
            for record in wanted
            if record.partition == file.partition and file.base <= record.offset < file.end
        }
        if own:
            for event in parse(records_at(folder / file.path, list(own))).events.to_pylist():
                record = own[event["offset"]]
                if (event["id"], event["digest"]) == (record.id, record.digest):
                    yield record, event["kind"], event["payload"]


def _payload(record: Record, kind: str, data: bytes, max_bytes: int, may_show: bool) -> Payload:
    if kind == "text":
        words = " ".join(data[: 8 * EXCERPT].decode("utf-8", "replace").split())
        return Payload(excerpt=f"{words[:EXCERPT]}…" if len(words) > EXCERPT else words)
    if kind == "vector":
        return Payload(lacks=f"a vector of {len(data) // 8} numbers")
    if kind != "uri":
        return Payload(lacks="no payload")
    if record.status != "ok":
        return Payload(lacks=f"status {record.status}")
    if not may_show:
        return Payload(lacks="picture left out: the page has enough of them")
    return _picture(record, data, max_bytes)


def _picture(record: Record, uri: bytes, max_bytes: int) -> Payload:
    location = locate(uri)
    if location is None or location.scheme != "file":
        return Payload(lacks="its picture is no local file")
    path = Path(os.fsdecode(location.path))
    try:
        if not path.is_file():  # a pipe would never end
            return Payload(lacks="its picture is not there now")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError):
        return Payload(lacks="its picture cannot be read now")
    if hashlib.sha256(data).digest() != record.digest:
        return Payload(lacks="its picture has changed since")
    small = thumbnail(io.BytesIO(data))
    return Payload(picture=small) if small else Payload(lacks="a picture that cannot be shown")
