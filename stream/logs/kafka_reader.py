"""A Kafka topic read with read_committed: assigned, never subscribed; nothing is committed by reading."""

import time
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition

from shared.errors import SourceError
from shared.records import RECORD_SCHEMA
from stream.logs.kafka_client import connecting, connection, describe_topic, kafka_errors
from stream.logs.protocol import LogIdentity, Message
from stream.logs.settings import KafkaSettings

_LOG_APPEND_TIME = 1
# A wait is cut into slices, so that a step over markers alone is seen when it happens.
_SLICE_SECONDS = 0.1
_STALL_SECONDS = 30.0
_BATCH = 10_000


class KafkaReader:
    """See LogReader."""

    def __init__(self, topic: str, settings: KafkaSettings) -> None:
        found = describe_topic(topic, settings)
        self.identity: LogIdentity = found.identity
        self.partitions: tuple[int, ...] = found.partitions
        self._settings = settings
        self._by_number = {partition: TopicPartition(topic, partition) for partition in found.partitions}
        self._all = list(self._by_number.values())
        self._paused: frozenset[int] = frozenset()
        with connecting(settings):
            self._consumer = KafkaConsumer(
                **connection(settings),
                isolation_level="read_committed",
                enable_auto_commit=False,
                # A jump over lost records must be an error, not a silent reset.
                auto_offset_reset="none",
                max_partition_fetch_bytes=4 << 20,
                metrics_enabled=False,
            )
        with self._errors():
            self._consumer.assign(self._all)
            for place, offset in self._consumer.beginning_offsets(self._all).items():
                self._consumer.seek(place, offset)

    def end_offsets(self) -> dict[int, int]:
        with self._errors():
            ends = self._consumer.end_offsets(self._all)
        return {place.partition: ends[place] for place in self._all}

    def seek(self, positions: Mapping[int, int]) -> None:
        unknown = sorted(set(positions) - set(self.partitions))
        if unknown:
            raise SourceError(
                f"topic {self.identity.name} has no partition {unknown[0]}; it has {len(self.partitions)}."
            )
        with self._errors():
            for partition, offset in positions.items():
                self._consumer.seek(self._by_number[partition], offset)

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        return _table(self._poll(max_records, timeout, only))

    def positions(self) -> dict[int, int]:
        with self._errors():
            return {place.partition: self._consumer.position(place) for place in self._all}

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        moved, before = time.monotonic(), self.positions()
        while True:
            left = {partition for partition, offset in offsets.items() if before[partition] < offset}
            if not left:
                return
            for record in chain.from_iterable(self._poll(_BATCH, 1.0, left).values()):
                if record.offset < offsets[record.partition]:
                    headers = {name: value or b"" for name, value in record.headers}
                    yield Message(record.key, record.value, headers, record.partition, record.offset)
            after = self.positions()
            if after != before:
                moved, before = time.monotonic(), after
            elif time.monotonic() - moved > _STALL_SECONDS:
                raise SourceError(
                    f"topic {self.identity.name} ends before {self.identity.fence(offsets).describe()}."
                )

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def _poll(
        self, max_records: int, timeout: float, only: Collection[int] | None
    ) -> dict[TopicPartition, list[Any]]:
        records: dict[TopicPartition, list[Any]] = {}
        deadline = time.monotonic() + timeout
        with self._errors():
            self._pause_all_but(only)
            before = self.positions()
            wanted = max_records
            while wanted > 0:
                # After the first records only what is at hand is added: latency before size.
                wait = 0.0 if records else min(_SLICE_SECONDS, max(0.0, deadline - time.monotonic()))
                got = self._consumer.poll(timeout_ms=int(wait * 1000), max_records=wanted)
                for place, batch in got.items():
                    records.setdefault(place, []).extend(batch)
                    wanted -= len(batch)
                if not got and (records or time.monotonic() >= deadline or self.positions() != before):
                    break
        return records

    def _pause_all_but(self, only: Collection[int] | None) -> None:
        paused = frozenset(self.partitions).difference(self.partitions if only is None else only)
        self._consumer.pause(*(self._by_number[p] for p in paused - self._paused))
        self._consumer.resume(*(self._by_number[p] for p in self._paused - paused))
        self._paused = paused

    def _errors(self) -> Any:
        return kafka_errors(self._settings, f"read the topic {self.identity.name}")


def _table(records: Mapping[TopicPartition, list[Any]]) -> pa.Table:
    rows = [record for place in sorted(records) for record in records[place]]
    append_times = [r.timestamp if r.timestamp_type == _LOG_APPEND_TIME else -1 for r in rows]
    columns = [
        pa.array([r.partition for r in rows], pa.int32()),
        pa.array([r.offset for r in rows], pa.int64()),
        pa.array(append_times, pa.int64()),
        pa.array([r.key for r in rows], pa.binary()),
        pa.array([r.value for r in rows], pa.binary()),
    ]
    return pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)
