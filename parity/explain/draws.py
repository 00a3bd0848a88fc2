"""Whom an item draws in its buckets: shared.lsh.draw_bounds on the buckets' members in priority order."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from shared import lsh
from shared.heads import key_id
from shared.spec import Spec
from shared.stored import Entry


@dataclass(frozen=True)
class Members:
    """The members of a bucket as priority keys, in order."""

    keys: pa.Array

    def __len__(self) -> int:
        return len(self.keys)

    def rank(self, key: bytes) -> int | None:
        place = bisect_left(range(len(self)), key, key=lambda rank: self.keys[rank].as_py())
        return place if place < len(self) and self.keys[place].as_py() == key else None

    def ids(self, start: int, stop: int) -> list[str]:
        return [key_id(key).decode() for key in self.keys[start:stop].to_pylist()]


@dataclass(frozen=True)
class Draw:
    """Where one item draws another: both ranks in a bucket. how: "first" or "near"."""

    entry: Entry
    rank: int
    other_rank: int
    how: str


def drawn(
    spec: Spec, key: bytes | None, entries: Collection[Entry], members: Mapping[Entry, Members]
) -> set[str]:
    """Whom an item with this key draws."""
    spans = _spans(spec, key, entries, members)
    return {item for entry, _, _, begin, stop in spans for item in members[entry].ids(begin, stop)}


def draws(
    spec: Spec, key: bytes | None, entries: Collection[Entry], members: Mapping[Entry, Members]
) -> dict[str, tuple[Draw, ...]]:
    """Whom an item with this key draws, in priority order, and where."""
    found: dict[bytes, list[Draw]] = {}  # by priority key
    for entry, rank, how, begin, stop in _spans(spec, key, entries, members):
        for other_rank, other in enumerate(members[entry].keys[begin:stop].to_pylist(), begin):
            found.setdefault(other, []).append(Draw(entry, rank, other_rank, how))
    by_id: dict[str, tuple[Draw, ...]] = {}
    for other, where in sorted(found.items()):
        item = key_id(other).decode()
        by_id[item] = (*by_id.get(item, ()), *where)
    return by_id


def _spans(
    spec: Spec, key: bytes | None, entries: Collection[Entry], members: Mapping[Entry, Members]
) -> Iterator[tuple[Entry, int, str, int, int]]:
    """(bucket, own rank, how, begin, stop): the ranks that are drawn. Of an item without a key, nothing."""
    for entry in entries if key is not None else ():
        own = spec.channels[entry[0]].draws
        rank = members[entry].rank(key) if key is not None else None
        if rank is not None:
            end, start = lsh.draw_bounds(rank, own.first, own.near)
            yield entry, rank, "first", 0, end
            yield entry, rank, "near", start, rank
