"""The file log: a topic is a folder, so that everything but Kafka itself runs without a broker.

Other processes may read while one writes. Nothing is ever removed: a "compacted" topic keeps all records.
"""

import time
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping

import pyarrow as pa

from shared.errors import SourceError
from shared.records import RECORD_SCHEMA
from stream.logs.checks import check_partitions, check_reachable
from stream.logs.file_topic import (
    SCHEME,
    SEGMENT_SCHEMA,
    Segment,
    end_offset,
    folder_of,
    open_topic,
    read_segment,
    segments,
)
from stream.logs.protocol import LogIdentity, Message

CLUSTER = "file"
_BATCH = 20_000
_WAIT_SECONDS = 0.02


class FileReader:
    """See LogReader."""

    def __init__(self, address: str) -> None:
        self._topic = open_topic(address)
        self.identity = LogIdentity(CLUSTER, self._topic.topic_id, f"{SCHEME}{folder_of(address)}")
        self.partitions: tuple[int, ...] = tuple(range(self._topic.partitions))
        self._positions = dict.fromkeys(self.partitions, 0)
        self._segments: dict[int, list[Segment]] = {partition: [] for partition in self.partitions}
        self._open: dict[int, tuple[Segment, pa.Table]] = {}
        self._turn = 0

    def end_offsets(self) -> dict[int, int]:
        return {partition: end_offset(self._topic, partition) for partition in self.partitions}

    def seek(self, positions: Mapping[int, int]) -> None:
        check_partitions(self, positions)
        self._positions.update(positions)

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        return self._poll(max_records, timeout, only).select(RECORD_SCHEMA.names)

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        check_reachable(self, offsets)
        for partition, end in sorted(offsets.items()):
            while (count := end - self._positions[partition]) > 0:
                for row in self._poll(min(count, _BATCH), 0.0, [partition]).to_pylist():
                    yield Message(row["key"], row["value"], dict(row["headers"]), partition, row["offset"])

    def close(self) -> None:
        self._open.clear()

    def _poll(self, max_records: int, timeout: float, only: Collection[int] | None) -> pa.Table:
        deadline = time.monotonic() + timeout
        wanted = [partition for partition in self.partitions if only is None or partition in only]
        while True:
            tables: dict[int, list[pa.Table]] = {}
            left = max_records
            # Partitions take turns at being first, so that a long one does not starve the rest.
            self._turn += 1
            for at in range(len(wanted)):
                partition = wanted[(self._turn + at) % len(wanted)]
                while left > 0 and (table := self._take(partition, left)) is not None:
                    tables.setdefault(partition, []).append(table)
                    left -= len(table)
            if tables:
                return pa.concat_tables([table for p in sorted(tables) for table in tables[p]])
            if time.monotonic() >= deadline:
                return SEGMENT_SCHEMA.empty_table()
            time.sleep(_WAIT_SECONDS)

    def _take(self, partition: int, count: int) -> pa.Table | None:
        """The next records of one segment, at most `count`, and step over them; None at the end."""
        position = self._positions[partition]
        opened = self._open.get(partition)
        if opened is None or not opened[0].base <= position < opened[0].end:
            found = self._find(partition, position)
            if found is None:
                return None
            opened = self._open[partition] = (found, read_segment(found))
        segment, table = opened
        taken = table.slice(position - segment.base, count)
        self._positions[partition] = position + len(taken)
        return taken

    def _find(self, partition: int, position: int) -> Segment | None:
        known = self._segments[partition]
        if not known or known[-1].end <= position:
            known = self._segments[partition] = segments(self._topic, partition)
        end = known[-1].end if known else 0
        if position == end:
            return None
        found = known[bisect_right(known, position, key=lambda segment: segment.base) - 1] if known else None
        if position > end or found is None or not found.base <= position < found.end:
            raise SourceError(
                f"partition {partition} of {self.identity.name} holds no offset {position} (it ends at "
                f"{end}); the log was replaced or damaged: rebuild from a newer run or lake."
            )
        return found
