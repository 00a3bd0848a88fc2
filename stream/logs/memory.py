"""A log in this process's memory, the twin of Kafka for tests: markers take offsets here too."""

import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from shared.errors import CrossfadeError, SourceError
from shared.records import RECORD_SCHEMA
from stream.logs.checks import check_partitions, check_reachable
from stream.logs.partitioner import partitions_of
from stream.logs.protocol import FencedError, LogIdentity, Message, OutMessage

SCHEME = "memory:"
_WAIT_SECONDS = 0.01


@dataclass(frozen=True)
class _Record:
    append_time: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


@dataclass
class _Topic:
    """`logs`: a list a partition; its index is the offset, None is a transaction's marker."""

    topic_id: str
    logs: list[list[_Record | None]]
    epochs: dict[str, int] = field(default_factory=dict)


_TOPICS: dict[str, _Topic] = {}


def create_topic(address: str, partitions: int) -> bool:
    if address in _TOPICS:
        return False
    _TOPICS[address] = _Topic(str(uuid.uuid4()), [[] for _ in range(partitions)])
    return True


def _topic(address: str) -> _Topic:
    if address not in _TOPICS:
        raise SourceError(f"there is no topic {address} in this process; create it first.")
    return _TOPICS[address]


class MemoryReader:
    """See LogReader."""

    def __init__(self, address: str) -> None:
        self._topic = _topic(address)
        self.identity = LogIdentity("memory", self._topic.topic_id, address)
        self.partitions: tuple[int, ...] = tuple(range(len(self._topic.logs)))
        self._positions = dict.fromkeys(self.partitions, 0)

    def end_offsets(self) -> dict[int, int]:
        return {partition: len(log) for partition, log in enumerate(self._topic.logs)}

    def seek(self, positions: Mapping[int, int]) -> None:
        check_partitions(self, positions)
        self._positions.update(positions)

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        deadline = time.monotonic() + timeout
        wanted = [partition for partition in self.partitions if only is None or partition in only]
        before = self.positions()
        while True:
            found = [
                (partition, offset, record)
                for partition in wanted
                for offset, record in self._take(partition, max_records)
            ]
            # Never more than asked for: what the later partitions took too much goes back.
            for partition, offset, _ in reversed(found[max_records:]):
                self._positions[partition] = offset
            found = found[:max_records]
            if found or self._positions != before or time.monotonic() >= deadline:
                break
            time.sleep(_WAIT_SECONDS)
        columns = [
            pa.array([partition for partition, _, _ in found], pa.int32()),
            pa.array([offset for _, offset, _ in found], pa.int64()),
            pa.array([record.append_time for _, _, record in found], pa.int64()),
            pa.array([record.key for _, _, record in found], pa.binary()),
            pa.array([record.value for _, _, record in found], pa.binary()),
        ]
        return pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        check_reachable(self, offsets)
        for partition, end in sorted(offsets.items()):
            for offset, record in self._take(partition, end - self._positions[partition]):
                if offset < end:
                    yield Message(record.key, record.value, dict(record.headers), partition, offset)

    def close(self) -> None:
        return None

    def _take(self, partition: int, count: int) -> list[tuple[int, _Record]]:
        """At most `count` records, and step over them and the markers behind them."""
        log, at = self._topic.logs[partition], self._positions[partition]
        if at > len(log):
            raise SourceError(
                f"partition {partition} of {self.identity.name} holds no offset {at} (it ends at {len(log)})."
            )
        taken: list[tuple[int, _Record]] = []
        while at < len(log):
            record = log[at]
            if record is not None:
                if len(taken) >= count:
                    break
                taken.append((at, record))
            at += 1
        self._positions[partition] = at
        return taken


class MemoryWriter:
    """See LogWriter."""

    def append(self, topic: str, messages: Iterable[tuple[bytes, bytes | None]]) -> dict[int, int]:
        found = _topic(topic)
        return _append(found, [OutMessage(topic, key, value) for key, value in messages])

    def close(self) -> None:
        return None


class MemoryTransactionalWriter:
    """See TransactionalWriter."""

    def __init__(self, source: str, group: str) -> None:
        self._source, self._group = _topic(source), group
        self._epoch: int | None = None

    def start(self) -> None:
        self._epoch = self._source.epochs.get(self._group, 0) + 1
        self._source.epochs[self._group] = self._epoch

    def commit(self, messages: Sequence[OutMessage], source_offsets: Mapping[int, int]) -> None:
        if self._epoch is None:
            raise CrossfadeError("the transactional writer was not started, or failed; start it again.")
        if self._source.epochs[self._group] != self._epoch:
            self._epoch = None
            raise FencedError(f"another consumer of group {self._group} took over; this one ends.")
        by_topic: dict[str, list[OutMessage]] = {}
        for message in messages:
            by_topic.setdefault(message.topic, []).append(message)
        found = [(_topic(address), batch) for address, batch in by_topic.items()]
        for topic, batch in found:
            for partition, count in _append(topic, batch).items():
                if count:
                    topic.logs[partition].append(None)

    def close(self) -> None:
        self._epoch = None


def _append(topic: _Topic, messages: Sequence[OutMessage]) -> dict[int, int]:
    now = time.time_ns() // 1_000_000
    counts = dict.fromkeys(range(len(topic.logs)), 0)
    partitions = partitions_of([message.key for message in messages], len(topic.logs))
    for message, partition in zip(messages, partitions, strict=True):
        record = _Record(now, message.key, message.value, message.headers)
        topic.logs[partition].append(record)
        counts[partition] += 1
    return counts
