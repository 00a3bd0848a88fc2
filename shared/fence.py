"""A fence: a place in a log, {partition: next offset}. Runs with one fence saw one set of records."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SourceError
from shared.shape import WHOLE, read_json, shown

LAKE_MANIFEST = "lake.json"
_PARTITION = re.compile("0|[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class Fence:
    """`offsets` are (partition, next offset) in partition order; all below them lies before the fence.

    `cluster` and `topic` are ids, not names: a topic that was deleted and made again is another log.
    """

    cluster: str
    topic: str
    offsets: tuple[tuple[int, int], ...]

    @classmethod
    def at(cls, cluster: str, topic: str, positions: Mapping[int, int]) -> "Fence":
        return cls(cluster, topic, tuple(sorted(positions.items())))

    def positions(self) -> dict[int, int]:
        """{partition: next offset}"""
        return dict(self.offsets)

    def reached(self, positions: Mapping[int, int]) -> bool:
        """Whether every partition's position is at or past its offset (markers count as steps)."""
        return all(positions.get(partition, 0) >= offset for partition, offset in self.offsets)

    def describe(self) -> str:
        places = ", ".join(f"{partition}:{offset}" for partition, offset in self.offsets)
        return f"topic {self.topic} of cluster {self.cluster} at {places or 'no partition'}"

    def to_json(self) -> dict[str, Any]:
        return {
            "cluster": self.cluster,
            "topic": self.topic,
            "offsets": {str(partition): offset for partition, offset in self.offsets},
        }

    @classmethod
    def from_json(
        cls, data: object, where: str = "the fence", advice: str = "name one that crossfade wrote"
    ) -> "Fence":
        """SourceError, which names `where` and gives the advice, unless `data` is as `to_json` gives."""

        def wrong(what: str) -> SourceError:
            return SourceError(f"{where} is not a fence: {what}; {advice}")

        if not isinstance(data, dict) or set(data) != {"cluster", "topic", "offsets"}:
            raise wrong("it needs exactly cluster, topic and offsets")
        cluster, topic, offsets = data["cluster"], data["topic"], data["offsets"]
        if not isinstance(cluster, str) or not isinstance(topic, str) or not isinstance(offsets, dict):
            raise wrong("cluster and topic must be strings, offsets an object of partition: next offset")
        positions: dict[int, int] = {}
        for partition, offset in offsets.items():
            if not _PARTITION.fullmatch(partition) or int(partition) >= 2**31:
                raise wrong(f"{shown(partition)} is no partition number")
            if not WHOLE.holds(offset):
                raise wrong(f"the offset of partition {partition} must be {WHOLE.name}, not {shown(offset)}")
            positions[int(partition)] = offset
        return cls.at(cluster, topic, positions)


def read_fence(path: Path) -> Fence:
    """The fence in a JSON file; a lake's folder means the lake's fence. SourceError if there is none."""
    is_lake = path.is_dir()
    file = path / LAKE_MANIFEST if is_lake else path
    try:
        data = read_json(file)
    except FileNotFoundError:
        missing = f"the folder {path} is no lake: it has no {LAKE_MANIFEST}" if is_lake else None
        raise SourceError(f"{missing or f'there is no fence file {path}'}.") from None
    if is_lake:
        data = data.get("fence") if isinstance(data, dict) else None
    return Fence.from_json(data, where=f"the fence in {file}")
