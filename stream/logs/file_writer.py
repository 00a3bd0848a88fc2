"""Appending to the file log: plainly, or output and source offsets in one transaction."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from shared.errors import CrossfadeError, TransientError
from stream.logs.file_commit import GroupFolder, TopicRows, appending
from stream.logs.file_topic import FileTopic, Row, open_topic, publish_segments, stage_segments
from stream.logs.partitioner import partitions_of
from stream.logs.protocol import FencedError, OutMessage, UnknownCommitError

_CHUNK = 20_000
_CHUNK_BYTES = 64 << 20


class FileWriter:
    """See LogWriter."""

    def append(self, topic: str, messages: Iterable[tuple[bytes, bytes | None]]) -> dict[int, int]:
        found = open_topic(topic)
        appended = dict.fromkeys(range(found.partitions), 0)
        for chunk in _chunks(messages):
            rows = _by_partition([(key, value, {}) for key, value in chunk], found)
            try:
                with appending(found):
                    publish_segments(stage_segments(found, rows))
            except OSError as error:
                raise TransientError(f"could not append to {topic}: {error}.") from error
            for partition, batch in rows.items():
                appended[partition] += len(batch)
        return appended

    def close(self) -> None:
        return None


class FileTransactionalWriter:
    """See TransactionalWriter; file_commit.py says how a commit is atomic and who is fenced."""

    def __init__(self, source: str, group: str) -> None:
        self._source = source
        self._group = GroupFolder(open_topic(source), group)
        self._epoch: int | None = None

    def start(self) -> None:
        with self._group.locked():
            self._epoch = self._group.epoch() + 1
            self._group.set_epoch(self._epoch)
            self._group.settle_all()

    def commit(self, messages: Sequence[OutMessage], source_offsets: Mapping[int, int]) -> None:
        if self._epoch is None:
            raise CrossfadeError("the transactional writer was not started, or failed; start it again.")
        rows = _by_topic(messages)
        commit_id = uuid.uuid4().hex
        epoch, self._epoch = self._epoch, None
        with self._group.locked():
            if self._group.epoch() != epoch:
                raise FencedError(
                    f"another consumer of group {self._group.name} on topic {self._source} took over; "
                    f"this one ends."
                )
            try:
                self._group.commit(commit_id, rows, source_offsets)
            except OSError as error:
                if self._group.last_commit().get("id") == commit_id:
                    raise UnknownCommitError(
                        f"the last transaction of group {self._group.name} is committed but not visible in "
                        f"all topics ({error}); start again, which settles it."
                    ) from error
                raise TransientError(
                    f"could not commit output of group {self._group.name}: {error}; nothing was committed."
                ) from error
        self._epoch = epoch

    def close(self) -> None:
        self._epoch = None


def _chunks(messages: Iterable[tuple[bytes, bytes | None]]) -> Iterator[list[tuple[bytes, bytes | None]]]:
    """Lists of at most _CHUNK messages and about _CHUNK_BYTES."""
    left = iter(messages)
    while chunk := list(islice(left, 1)):
        size = 0
        for message in islice(left, _CHUNK - 1):
            chunk.append(message)
            size += len(message[0]) + len(message[1] or b"")
            if size > _CHUNK_BYTES:
                break
        yield chunk


def _by_partition(rows: Sequence[Row], topic: FileTopic) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    partitions = partitions_of([key or b"" for key, _, _ in rows], topic.partitions)
    for partition, row in zip(partitions, rows, strict=True):
        found.setdefault(partition, []).append(row)
    return found


def _by_topic(messages: Sequence[OutMessage]) -> list[TopicRows]:
    topics: dict[str, FileTopic] = {}
    rows: dict[FileTopic, list[Row]] = {}
    for message in messages:
        topic = topics.get(message.topic) or topics.setdefault(message.topic, open_topic(message.topic))
        rows.setdefault(topic, []).append((message.key, message.value, message.headers))
    return [(topic, _by_partition(batch, topic)) for topic, batch in rows.items()]
