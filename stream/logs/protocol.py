"""What the rest of crossfade needs of an event log. Kafka, files and memory each implement it.

Everything is read as read_committed: records of aborted or open transactions are never seen, and
an end offset is that of the last stable record. Offsets may have gaps (transaction markers, aborted
records), so positions are compared with >=, never counted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from shared.errors import CrossfadeError
from shared.fence import Fence


class FencedError(CrossfadeError):
    """Another consumer of the group took over; whatever this one had in hand is void."""


class UnknownCommitError(CrossfadeError):
    """Nobody can tell whether the transaction was committed: end, and let the next start find out."""


@dataclass(frozen=True)
class LogIdentity:
    """`cluster` and `topic_id` never change for one log; `name` is the address it was opened by."""

    cluster: str
    topic_id: str
    name: str

    def fence(self, positions: Mapping[int, int]) -> Fence:
        """The fence of this log at {partition: next offset}."""
        return Fence.at(self.cluster, self.topic_id, positions)


@dataclass(frozen=True)
class Message:
    """One record of a small topic, with its headers."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    partition: int
    offset: int


@dataclass(frozen=True)
class OutMessage:
    """A record to append to `topic` (an address). A value of None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)


class LogReader(Protocol):
    """A reader of one topic. It starts at the log's beginning; nobody else moves its positions."""

    @property
    def identity(self) -> LogIdentity: ...

    @property
    def partitions(self) -> tuple[int, ...]:
        """The topic's partitions, ascending."""
        ...

    def end_offsets(self) -> dict[int, int]:
        """{partition: the offset after the last stable record}, now."""
        ...

    def seek(self, positions: Mapping[int, int]) -> None:
        """Continue at {partition: next offset}; partitions not named stay. SourceError if one is unknown."""
        ...

    def poll(self, max_records: int, timeout: float, only: Collection[int] | None = None) -> pa.Table:
        """At most `max_records` records as RECORD_SCHEMA, in offset order inside each partition.

        Waits up to `timeout` seconds for the first; returns an empty table sooner when a position
        moved over markers alone. With `only`, all other partitions stay where they are.
        SourceError when a position's records are no longer in the log.
        """
        ...

    def positions(self) -> dict[int, int]:
        """{partition: next offset to be read}; at the end of the log it equals `end_offsets`."""
        ...

    def messages_until(self, offsets: Mapping[int, int]) -> Iterator[Message]:
        """All messages from the positions up to `offsets`, with headers, for small topics.

        SourceError when the log does not go that far.
        """
        ...

    def close(self) -> None: ...


class LogWriter(Protocol):
    """Plain appends. Records with one key land on one partition, the same in every implementation."""

    def append(self, topic: str, messages: Iterable[tuple[bytes, bytes | None]]) -> dict[int, int]:
        """Append (key, value) records in order; durable on return. {partition: records appended}"""
        ...

    def close(self) -> None: ...


class TransactionalWriter(Protocol):
    """Commits output and source offsets together. One per consumer group and source topic."""

    def start(self) -> None:
        """Take over from any earlier writer of the group, which is fenced from then on.

        Finishes or aborts what that one left behind, so that readers see no open transaction.
        """
        ...

    def commit(self, messages: Sequence[OutMessage], source_offsets: Mapping[int, int]) -> None:
        """One transaction: the messages and the source topic's {partition: next offset}.

        On return it is durable and readable. FencedError: another writer started, and whether this
        transaction counts, that one has found out. UnknownCommitError: it may or may not be committed.
        Any other CrossfadeError: it was not; nothing of it will ever be seen. After any error the
        writer commits nothing more until it is started again.
        """
        ...

    def close(self) -> None: ...
