"""Transactions of the file log: several topics and the source offsets, all or nothing.

A consumer group's folder (SOURCE/groups/<group>/) holds

    lock          held for a whole commit, and to take over
    epoch.json    who may commit: a writer whose epoch is not this one is fenced
    commit.json   the last commit: {"id", "offsets", "topics"}

and a commit goes, with the group's and all topics' locks held:
1. stage hidden segments in each topic;
2. in each topic, pending.json: the commit's group and id, and which segments to rename;
3. replace commit.json: from here on the transaction is committed;
4. rename the segments, remove each pending.json.

Whoever next locks a topic finds pending.json after a crash, and finishes (commit.json has that id) or
forgets it (it has not). Taking over a group settles all topics of its last commit before it can commit
again, so an id that is not the last was never committed. A crash anywhere leaves all of a commit or nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shared.durable import locked, sync_folder, write_json
from shared.shape import PATH, TEXT, WHOLE, Each, Shape, parse_json, require
from stream.logs.file_topic import (
    FileTopic,
    Row,
    discard_hidden,
    open_topic,
    publish_segments,
    stage_segments,
)

_PENDING = "pending.json"
_EPOCH: Shape = {"epoch": WHOLE}
_COMMIT: Shape = {"id": TEXT, "offsets": Each(WHOLE), "topics": [PATH]}
_PENDING_SHAPE: Shape = {"group": PATH, "id": TEXT, "segments": [[PATH]]}
_DAMAGED = "it is damaged; restore it from a copy, or consume with another --output, which gets all clusters"
TopicRows = tuple[FileTopic, Mapping[int, Sequence[Row]]]


class GroupFolder:
    """The state of one consumer group on one source topic."""

    def __init__(self, source: FileTopic, group: str) -> None:
        self.folder = source.folder / "groups" / quote(group, safe="")
        self.name = group

    @contextmanager
    def locked(self) -> Iterator[None]:
        with locked(self.folder / "lock", f"the consumer group {self.name}"):
            yield

    def epoch(self) -> int:
        epoch: int = _read(self.folder / "epoch.json", _EPOCH).get("epoch", 0)
        return epoch

    def set_epoch(self, epoch: int) -> None:
        write_json(self.folder / "epoch.json", {"epoch": epoch})

    def last_commit(self) -> dict[str, Any]:
        """{"id": str, "offsets": {partition: next offset}, "topics": [folder]}; {} before the first."""
        return _read(self.folder / "commit.json", _COMMIT)

    def settle_all(self) -> None:
        """Make the last commit visible in all its topics. Needs the group's lock."""
        for folder in self.last_commit().get("topics", []):
            with appending(open_topic(folder)):
                pass

    def commit(self, commit_id: str, rows: Sequence[TopicRows], offsets: Mapping[int, int]) -> None:
        """One transaction, with the group's lock held, on topics that differ.

        After an OSError it is committed if and only if the last commit has this id.
        """
        merged = {**self.last_commit().get("offsets", {}), **{str(p): at for p, at in offsets.items()}}
        folders = [str(topic.folder) for topic, _ in rows]
        with ExitStack() as locks:
            # In one order everywhere, so that groups that write to the same topics never wait in a circle.
            for topic, _ in sorted(rows, key=lambda item: item[0].folder):
                locks.enter_context(appending(topic))
            try:
                for topic, by_partition in rows:
                    self._prepare(topic, commit_id, by_partition)
                write_json(
                    self.folder / "commit.json", {"id": commit_id, "offsets": merged, "topics": folders}
                )
            finally:
                for topic, _ in rows:
                    settle(topic)

    def _prepare(self, topic: FileTopic, commit_id: str, rows: Mapping[int, Sequence[Row]]) -> None:
        staged = stage_segments(topic, rows)
        segments = [[str(hidden), str(final)] for hidden, final in staged]
        write_json(
            topic.folder / _PENDING, {"group": str(self.folder), "id": commit_id, "segments": segments}
        )


@contextmanager
def appending(topic: FileTopic) -> Iterator[None]:
    """The topic's lock, with whatever a crashed transaction left behind settled."""
    with locked(topic.folder / "lock", f"the topic {topic.folder}"):
        settle(topic)
        yield


def settle(topic: FileTopic) -> None:
    """Finish or forget the topic's pending transaction, if any. Needs the topic's lock."""
    pending = _read(topic.folder / _PENDING, _PENDING_SHAPE)
    if pending:
        if _read(Path(pending["group"]) / "commit.json", _COMMIT).get("id") == pending["id"]:
            publish_segments([(Path(hidden), Path(final)) for hidden, final in pending["segments"]])
        (topic.folder / _PENDING).unlink()
        sync_folder(topic.folder)
    discard_hidden(topic)


def _read(path: Path, shape: Shape) -> dict[str, Any]:
    """{} where there is no such file. SourceError where it is damaged."""
    try:
        data: dict[str, Any] = parse_json(path.read_bytes(), str(path), _DAMAGED)
    except FileNotFoundError:
        return {}
    require(data, shape, str(path), _DAMAGED)
    return data
