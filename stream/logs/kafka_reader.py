"""A Kafka topic read with read_committed: assigned, never subscribed; nothing is committed by reading."""

import time
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

import pyarrow as pa
from kafka import KafkaConsumer, TopicPartition

from shared.errors import CrossfadeError, SourceError, TransientError
from shared.records import RECORD_SCHEMA
from stream.logs.checks import STALL_SECONDS, check_partitions, check_reachable
from stream.logs.kafka_client import connecting, connection, describe_topic, kafka_errors
from stream.logs.protocol import LogIdentity, Message
from stream.logs.settings import KafkaSettings

_LOG_APPEND_TIME = 1
# A wait is cut into slices, so that a step over markers alone is seen when it happens.
_SLICE_SECONDS = 0.1
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
        self._assigned: tuple[int, ...] = ()
        with connecting(settings):
            self._consumer = KafkaConsumer(
                **connection(settings),
                isolation_level="read_committed",
                enable_auto_commit=False,
                # A jump over lost records must be an error, not a silent reset.
                auto_offset_reset="none",
                max_partition_fetch_bytes=4 << 20,
                # After a change of partitions, a fetch that waits for records holds up the next one.
                fetch_max_wait_ms=100,
                metrics_enabled=False,
                metadata_max_age_ms=60_000,
            )
        with self._errors():
            starts = self._consumer.beginning_offsets(self._all)
        self._positions: dict[int, int] = {place.partition: starts[place] for place in self._all}

    def end_offsets(self) -> dict[int, int]:
        with self._errors():
            ends = self._consumer.end_offsets(self._all)
            partitions = self._consumer.partitions_for_topic(self.identity.name) or set()
        if len(partitions) > len(self.partitions):  # known from metadata, which are a minute old at most
            raise SourceError(
                f"the topic {self.identity.name} grew from {len(self.partitions)} partitions to "
                f"{len(partitions)}; start again to read them all"
            )
        return {place.partition: ends[place] for place in self._all}

    def seek(self, positions: Mapping[int, int]) -> None:
        check_partitions(self, positions)
        moved = {p: offset for p, offset in positions.items() if offset != self._positions[p]}
        self._positions.update(moved)
        with self._errors():
            for partition in set(moved).intersection(self._assigned):
                self._consumer.seek(self._by_number[partition], moved[partition])

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        return _table(self._poll(max_records, timeout, only))

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        check_reachable(self, offsets)
        moved, before = time.monotonic(), self.positions()
        while left := {p for p, offset in offsets.items() if before[p] < offset}:
            for record in chain.from_iterable(self._poll(_BATCH, 1.0, left).values()):
                if record.offset < offsets[record.partition]:
                    headers = {name: value or b"" for name, value in record.headers}
                    yield Message(record.key, record.value, headers, record.partition, record.offset)
            after = self.positions()
            if after != before:
                moved, before = time.monotonic(), after
            elif time.monotonic() - moved > STALL_SECONDS:
                raise TransientError(
                    f"the topic {self.identity.name} gave no records for {STALL_SECONDS:.0f} s; "
                    f"is the broker up?"
                )

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def _poll(
        self, max_records: int, timeout: float, only: Collection[int] | None
    ) -> dict[TopicPartition, list[Any]]:
        records: dict[TopicPartition, list[Any]] = {}
        deadline = time.monotonic() + timeout
        before = self.positions()
        try:
            with self._errors():
                self._assign(self.partitions if only is None else tuple(sorted(only)))
                wanted = max_records if self._assigned else 0
                while wanted > 0:
                    # After the first records only what is at hand is added: latency before size.
                    wait = 0.0 if records else min(_SLICE_SECONDS, max(0.0, deadline - time.monotonic()))
                    got = self._consumer.poll(timeout_ms=int(wait * 1000), max_records=wanted)
                    for place, batch in got.items():
                        records.setdefault(place, []).extend(batch)
                        wanted -= len(batch)
                    for partition in self._assigned:
                        self._positions[partition] = self._consumer.position(self._by_number[partition])
                    if not got and (records or time.monotonic() >= deadline or self._positions != before):
                        break
        except CrossfadeError:
            # What was read before the error is read again by the next poll.
            self._positions, self._assigned = before, ()
            raise
        return records

    def _assign(self, wanted: tuple[int, ...]) -> None:
        """Read these partitions only.

        Not by pausing: kafka-python 3.0 keeps a paused partition's fetched records aside and can leave
        them there after it is resumed, until another partition gets data.
        """
        if wanted == self._assigned:
            return
        self._consumer.assign([self._by_number[partition] for partition in wanted])
        for partition in set(wanted).difference(self._assigned):
            self._consumer.seek(self._by_number[partition], self._positions[partition])
        self._assigned = wanted

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
