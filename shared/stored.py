"""What a run or a state stores of an item, in one form, for whoever reads a few items of either.

parity/explain/side.py says what is read; a run and a state each implement it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared import lsh
from shared.fence import Fence
from shared.heads import priority_key
from shared.sketch import INDEXED
from shared.spec import Spec

Entry = tuple[int, int, int]  # a bucket: the channel's order, the band, the bucket's value
Trace = tuple[int, int]  # how many things, and the sum of their hashes as int64 (shared/traces.py)
NOTHING: Trace = (0, 0)


@dataclass(frozen=True)
class About:
    """What a side is. kind: "run" or "state". lake: the one that a run's manifest names."""

    path: str
    kind: str
    engine: str
    spec: Spec
    contract: Mapping[str, Any]
    contract_id: str
    fence: Fence | None
    event_set: str | None = None
    lake: Path | None = None

    @property
    def stands_at(self) -> str:
        return self.fence.describe() if self.fence else f"event set {self.event_set}"


@dataclass(frozen=True)
class Event:
    """An id's row of items: its winning event, and the status it gave. Times are integer milliseconds."""

    op: str
    event_time: int
    append_time: int
    version_time: int
    effective_time: int
    digest: bytes
    partition: int
    offset: int
    status: str

    @property
    def indexed(self) -> bool:
        return self.status in INDEXED

    @property
    def counted(self) -> tuple[str, int, int, int, bytes]:
        """What of the event counts for parity: not where the record lies, nor when it was appended."""
        times = (self.event_time, self.version_time, self.effective_time)
        return (self.op, *times, self.digest)

    def key(self, item: str) -> bytes:
        """The priority key."""
        return priority_key(self.effective_time, self.version_time, item.encode())


@dataclass(frozen=True)
class Piece:
    """What is stored of an id in one channel; None where there is no such row."""

    signature: bytes | None = None
    record: bytes | None = None


@dataclass(frozen=True)
class Strength:
    """A match: the channel that gave it, and its integers."""

    channel: str
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Place:
    """Where an id is in the clusters. A head's head is itself, and has no strength."""

    head: str
    strength: Strength | None


def bucket_entries(spec: Spec, pieces: Sequence[Piece]) -> tuple[Entry, ...]:
    """The buckets that an item's signatures name, by channel and band. A damaged signature names none."""
    found: list[Entry] = []
    for order, (channel, piece) in enumerate(zip(spec.channels, pieces, strict=True)):
        if piece.signature is not None and len(piece.signature) == 4 * channel.minhash.permutations:
            (buckets,) = lsh.buckets(np.frombuffer(piece.signature, "<u4")[None, :], channel.bands).tolist()
            found += ((order, band, value) for band, value in enumerate(buckets))
    return tuple(found)
