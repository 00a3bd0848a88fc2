"""Event values from a source into an event log, each under its id's bytes as the key."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from shared.source_events import event_key
from shared.sources import Source
from stream.logs.protocol import LogWriter


@dataclass(frozen=True)
class Published:
    """records: appended. without_id: of them, those in which no id was found (dead letters to be).
    skipped: files of the folder that are no pictures by their suffix. partitions: {number: records}.
    """

    records: int
    without_id: int
    skipped: int
    partitions: dict[int, int]
    seconds: float


def publish(source: Source, writer: LogWriter, topic: str, progress: Callable[[int], None]) -> Published:
    """Append everything of `source` to `topic` in order. `progress` gets the number after each batch."""
    started = time.monotonic()
    records = without_id = 0
    partitions: dict[int, int] = {}
    for values in source.batches:
        messages = list(_messages(values))
        for partition, count in writer.append(topic, messages).items():
            partitions[partition] = partitions.get(partition, 0) + count
        records += len(messages)
        without_id += sum(not key for key, _ in messages)
        progress(records)
    seconds = time.monotonic() - started
    return Published(records, without_id, source.skipped, dict(sorted(partitions.items())), seconds)


def _messages(values: pa.Array) -> Iterator[tuple[bytes, bytes]]:
    for value in values.to_pylist():
        yield event_key(value), value
