"""A topic of the file log on disk.

    DIR/topic.json                          format, topic id, number of partitions; written last
    DIR/partition=N/<base>-<end>.arrow      records base <= offset < end, never changed
    DIR/lock                                held (flock) by whoever appends
    DIR/pending.json                        segments of a transaction that may or may not be committed
    DIR/groups/<group>/                     the consumer groups that read it: see file_commit.py

A segment is written under a hidden name, synced and renamed, so readers see whole segments only, and
a listing gives the end offsets. Readers never lock.
"""

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shared.durable import sync_folder, write_json
from shared.errors import SourceError
from shared.records import RECORD_SCHEMA
from shared.shape import TEXT, WHOLE, Shape, read_json, require

FORMAT = 1
_DAMAGED = "the log is damaged; restore it from a copy, or publish into a new folder"
_TOPIC: Shape = {"topic_id": TEXT, "partitions": WHOLE}
SCHEME = "file:"
SEGMENT_SCHEMA = RECORD_SCHEMA.append(pa.field("headers", pa.map_(pa.string(), pa.binary())))
Row = tuple[bytes | None, bytes | None, Mapping[str, bytes]]


@dataclass(frozen=True)
class FileTopic:
    """`folder` is absolute."""

    folder: Path
    topic_id: str
    partitions: int


@dataclass(frozen=True)
class Segment:
    base: int
    end: int
    path: Path


def folder_of(address: str) -> Path:
    """SourceError where it names none: an unset variable would make a topic of the current folder."""
    if not address.removeprefix(SCHEME):
        raise SourceError(f"the topic {address} names no folder; give {SCHEME}DIR")
    return Path(address.removeprefix(SCHEME)).absolute()


def create_topic(address: str, partitions: int) -> bool:
    """Make the topic unless it is there; True if it was made."""
    folder = folder_of(address)
    if (folder / "topic.json").exists():
        return False
    for partition in range(partitions):
        (folder / f"partition={partition}").mkdir(parents=True, exist_ok=True)
    fresh = folder / f".topic-{uuid.uuid4().hex}"
    write_json(fresh, {"format": FORMAT, "topic_id": str(uuid.uuid4()), "partitions": partitions})
    try:
        # A link, unlike a rename, fails if another process made the topic first.
        (folder / "topic.json").hardlink_to(fresh)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    sync_folder(folder)
    return True


def open_topic(address: str) -> FileTopic:
    """SourceError if there is none, or of an unknown format."""
    folder = folder_of(address)
    try:
        data = read_json(folder / "topic.json")
    except FileNotFoundError:
        raise SourceError(f"there is no topic in {folder}; publish to file:{folder} first.") from None
    require(data, {"format": WHOLE}, f"{folder}/topic.json", _DAMAGED)
    if data["format"] != FORMAT:
        raise SourceError(f"the topic in {folder} has format {data['format']}; this version reads {FORMAT}.")
    require(data, _TOPIC, f"{folder}/topic.json", _DAMAGED)
    return FileTopic(folder, data["topic_id"], data["partitions"])


def segments(topic: FileTopic, partition: int) -> list[Segment]:
    """The segments of a partition in offset order."""
    folder = topic.folder / f"partition={partition}"
    found = []
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        raise SourceError(f"{folder}, a partition of a topic, is gone; {_DAMAGED}") from None
    with entries:
        for name in (entry.name for entry in entries):
            if name.endswith(".arrow") and not name.startswith("."):
                base, _, end = name.removesuffix(".arrow").partition("-")
                found.append(Segment(int(base), int(end), folder / name))
    return sorted(found, key=lambda segment: segment.base)


def end_offset(topic: FileTopic, partition: int) -> int:
    found = segments(topic, partition)
    return found[-1].end if found else 0


def read_segment(segment: Segment) -> pa.Table:
    """Its records as SEGMENT_SCHEMA, memory-mapped. SourceError when the file is damaged."""
    try:
        with pa.memory_map(str(segment.path)) as source:
            return pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise SourceError(f"the segment {segment.path} is damaged or gone: {error}.") from None


def stage_segments(topic: FileTopic, rows: Mapping[int, Sequence[Row]]) -> list[tuple[Path, Path]]:
    """Write {partition: rows} after the ends, still hidden: (hidden, final) paths. Needs the lock."""
    now = time.time_ns() // 1_000_000
    staged = []
    for partition, batch in rows.items():
        if not batch:
            continue
        folder, base = topic.folder / f"partition={partition}", end_offset(topic, partition)
        end = base + len(batch)
        hidden = folder / f".{uuid.uuid4().hex}.arrow"
        with hidden.open("wb") as file:
            table = _segment_table(partition, base, now, batch)
            with pa.ipc.new_file(file, SEGMENT_SCHEMA) as writer:
                writer.write_table(table)
            file.flush()
            os.fsync(file.fileno())
        staged.append((hidden, folder / f"{base:020d}-{end:020d}.arrow"))
    return staged


def publish_segments(staged: Sequence[tuple[Path, Path]]) -> None:
    """Rename hidden segments into the log; those that were renamed before are left alone."""
    for hidden, final in staged:
        if hidden.exists():
            hidden.rename(final)
    for folder in {final.parent for _, final in staged}:
        sync_folder(folder)


def discard_hidden(topic: FileTopic) -> None:
    """Remove segments that a crashed writer left hidden. Needs the lock: a live writer's look the same."""
    for partition in range(topic.partitions):
        for hidden in (topic.folder / f"partition={partition}").glob(".*.arrow"):
            hidden.unlink()


def _segment_table(partition: int, base: int, now: int, rows: Sequence[Row]) -> pa.Table:
    count = len(rows)
    columns = [
        pa.array([partition] * count, pa.int32()),
        pa.array(range(base, base + count), pa.int64()),
        pa.array([now] * count, pa.int64()),
        pa.array([key for key, _, _ in rows], pa.binary()),
        pa.array([value for _, value, _ in rows], pa.binary()),
        pa.array([list(headers.items()) for _, _, headers in rows], SEGMENT_SCHEMA.field("headers").type),
    ]
    return pa.Table.from_arrays(columns, schema=SEGMENT_SCHEMA)
