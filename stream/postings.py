"""Postings: the members of a bucket, complete and in priority order, as priority keys.

A bucket's own record holds all of a small bucket. Past CHUNK members it becomes a directory of
chunks, each under a key of its own, so that one hot bucket does not cost its whole length a batch.
"""

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from shared.errors import SourceError
from stream.stores.protocol import AGAIN

CHUNK = 128

_SIZE = struct.Struct("<H")  # a priority key is at most 16 + 1,024 bytes
LEAST = _SIZE.size + 17  # bytes of a member: its key is at least 16 + 1
_DIRECTORY = struct.Struct("<III")  # chunk number, members, bytes of the first member
_BUCKET = struct.Struct(">BHQ")
BUCKET_KEY = _BUCKET.size  # bytes of the key of a bucket's own record
BUCKETS = np.dtype([("channel", "u1"), ("band", ">u2"), ("value", ">u8")])  # many such keys, joined
CHUNK_KEY = BUCKET_KEY + 4  # of a further chunk
_NONE: frozenset[int] = frozenset()


def bucket_keys(channel: int, values: npt.NDArray[np.uint64], by_band: bool = False) -> list[bytes]:
    """The keys of the buckets uint64[n, bands] of a channel: item after item, or band after band."""
    rows = np.empty((*values.shape, _BUCKET.size), np.uint8)
    rows[:, :, 0] = channel
    rows[:, :, 1:3] = np.arange(values.shape[1], dtype=">u2").view(np.uint8).reshape(-1, 2)
    rows[:, :, 3:] = values.astype(">u8").view(np.uint8).reshape(*values.shape, 8)
    raw, width = (rows.swapaxes(0, 1) if by_band else rows).tobytes(), _BUCKET.size
    return [raw[at : at + width] for at in range(0, len(raw), width)]


def bucket_key(channel: int, band: int, value: int) -> bytes:
    """The key of one bucket; the keys of its further chunks begin with it."""
    return _BUCKET.pack(channel, band, value)


def lone_member(member: bytes) -> bytes:
    """The record of a bucket with one member."""
    return b"\0" + _pack([member])


def bucket_of(key: bytes) -> tuple[int, int, int] | None:
    """(channel, band, value) of a bucket's own record; None for the key of a further chunk."""
    if len(key) != _BUCKET.size:
        return None
    channel, band, value = _BUCKET.unpack(key)
    return channel, band, value


def bucket_place(key: bytes) -> tuple[int, int, int]:
    """(channel, band, value) of the bucket whose record this is."""
    channel, band, value = _BUCKET.unpack(key[: _BUCKET.size])
    return channel, band, value


def packed_members(key: bytes, value: bytes, read: Callable[[list[bytes]], list[bytes | None]]) -> bytes:
    """The members of a bucket, packed, as the index would find them: through the directory of a big one.

    key, value: the bucket's own record. `read` fetches chunks; one that is lost has no members.
    SourceError where a directory is not that of its chunks: nobody can say what is in the bucket.
    """
    if value[0] == 0:
        return value[1:]
    chunks, at = [], 1
    while at < len(value):
        number, count, size = _DIRECTORY.unpack_from(value, at)
        at += _DIRECTORY.size + size
        chunks.append((number, count, value[at - size : at]))
    records = read([key + number.to_bytes(4, "big") for number, _, _ in chunks])
    for (number, count, first), record in zip(chunks, records, strict=True):
        members = _unpack(record, 0) if record else []
        if members and (len(members) != count or members[0] != first or members != sorted(members)):
            raise SourceError(
                f"the state is damaged: chunk {number} of bucket {key.hex()} is not what its directory says; "
                f"{AGAIN}"
            )
    return b"".join(record or b"" for record in records)


def record_members(value: bytes) -> list[bytes]:
    """The members that a bucket's own record names: of a directory the first of each chunk.

    Raises ValueError, struct.error or IndexError where it is malformed, as `chunk_members` does.
    """
    if value[0] == 0:
        return _whole(value, 1)
    if value[0] != 1:
        raise ValueError("it is neither a bucket's members nor their directory")
    firsts, at = [], 1
    while at < len(value):
        _, _, size = _DIRECTORY.unpack_from(value, at)
        at += _DIRECTORY.size + size
        firsts.append(value[at - size : at])
    if at != len(value):
        raise ValueError("it ends too early")
    return firsts


def chunk_members(value: bytes) -> list[bytes]:
    """The members in the record of a further chunk."""
    return _whole(value, 0)


def _whole(value: bytes, start: int) -> list[bytes]:
    members = _unpack(value, start)
    if start + sum(map(len, members)) + _SIZE.size * len(members) != len(value):
        raise ValueError("it ends too early")
    return members


def most_members(record: bytes) -> int:
    """The most members that a bucket with this record can have, without counting them."""
    return len(record) // LEAST if record[0] == 0 else 2**32


class _Chunk:
    """`members` is None until somebody needs them; `number` 0 lives in the bucket's own record."""

    __slots__ = ("changed", "count", "first", "members", "number")

    def __init__(self, number: int, first: bytes, count: int, members: list[bytes] | None) -> None:
        self.number, self.first, self.count, self.members = number, first, count, members
        self.changed = False


class Bucket:
    """One bucket, loaded as far as it is used. `read(key)` fetches a chunk's record."""

    __slots__ = ("_changed", "_chunks", "_count", "_read", "_stored", "key")

    def __init__(self, key: bytes, record: bytes | None, read: Callable[[bytes], bytes | None]) -> None:
        self.key, self._read = key, read
        self._chunks: list[_Chunk] = []
        self._stored: frozenset[int] = _NONE  # numbers of the chunk records that exist
        self._changed = False
        self._count = 0
        if record is None:
            return
        if record[0] == 0:
            members = _unpack(record, 1)
            self._chunks = [_Chunk(0, members[0], len(members), members)]
            self._count = len(members)
            return
        at = 1
        while at < len(record):
            number, count, size = _DIRECTORY.unpack_from(record, at)
            at += _DIRECTORY.size
            self._chunks.append(_Chunk(number, record[at : at + size], count, None))
            at += size
            self._count += count
        self._stored = frozenset(chunk.number for chunk in self._chunks)

    @property
    def channel(self) -> int:
        return self.key[0]

    def __len__(self) -> int:
        return self._count

    def rank(self, member: bytes) -> int:
        """The rank of a member that is in the bucket."""
        place, before = self._place(member)
        return before + bisect_left(self._members(place), member)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members of ranks start … stop − 1, as many as there are."""
        found: list[bytes] = []
        for place, chunk in enumerate(self._chunks):
            if start < chunk.count and stop > 0:
                found += self._members(place)[max(start, 0) : stop]
            start -= chunk.count
            stop -= chunk.count
            if stop <= 0:
                break
        return found

    def insert(self, member: bytes) -> int:
        """Insert a member that is not there; its rank."""
        self._changed = True
        self._count += 1
        if not self._chunks:
            self._chunks = [_Chunk(0, member, 1, [member])]
            self._chunks[0].changed = True
            return 0
        place, before = self._place(member)
        members, chunk = self._members(place), self._chunks[place]
        at = bisect_left(members, member)
        members.insert(at, member)
        chunk.first, chunk.count, chunk.changed = members[0], len(members), True
        if len(members) > CHUNK:
            self._split(place)
        return before + at

    def remove(self, member: bytes) -> int:
        """Remove a member that is there; the rank it had."""
        self._changed = True
        place, before = self._place(member)
        members, chunk = self._members(place), self._chunks[place]
        at = bisect_left(members, member)
        if at == len(members) or members[at] != member:
            raise KeyError(member)
        del members[at]
        self._count -= 1
        if members:
            chunk.first, chunk.count, chunk.changed = members[0], len(members), True
        else:
            del self._chunks[place]
        return before + at

    def records(self) -> Iterator[tuple[bytes, bytes | None]]:
        """(key, value) of every record to be written; None deletes."""
        if not self._changed:
            return
        if len(self) <= CHUNK:
            members = self.members(0, CHUNK)
            yield self.key, b"\0" + _pack(members) if members else None
            yield from ((self._chunk_key(number), None) for number in self._stored)
            return
        used = [chunk.number for chunk in self._chunks if chunk.number]
        free = max([0, *used, *self._stored]) + 1
        for chunk in self._chunks:
            if chunk.number == 0:
                chunk.number, chunk.changed, free = free, True, free + 1
            if chunk.changed and chunk.members is not None:
                yield self._chunk_key(chunk.number), _pack(chunk.members)
        yield from (
            (self._chunk_key(number), None) for number in self._stored - {c.number for c in self._chunks}
        )
        yield (
            self.key,
            b"\1"
            + b"".join(_DIRECTORY.pack(c.number, c.count, len(c.first)) + c.first for c in self._chunks),
        )

    def _place(self, member: bytes) -> tuple[int, int]:
        """(the chunk where a member is or belongs, the members before that chunk)."""
        if len(self._chunks) == 1:
            return 0, 0
        place = max(0, bisect_left(self._chunks, member, key=lambda chunk: chunk.first) - 1)
        if place + 1 < len(self._chunks) and self._chunks[place + 1].first == member:
            place += 1
        return place, sum(chunk.count for chunk in self._chunks[:place])

    def _members(self, place: int) -> list[bytes]:
        chunk = self._chunks[place]
        if chunk.members is None:
            record = self._read(self._chunk_key(chunk.number))
            assert record is not None, f"bucket {self.key.hex()} has lost its chunk {chunk.number}"
            chunk.members = _unpack(record, 0)
        return chunk.members

    def _split(self, place: int) -> None:
        chunk, members = self._chunks[place], self._members(place)
        # In-order appends leave full chunks behind; elsewhere halves have room on both sides.
        cut = CHUNK if place == len(self._chunks) - 1 else len(members) // 2
        tail = _Chunk(0, members[cut], len(members) - cut, members[cut:])
        tail.changed = True
        chunk.members, chunk.count = members[:cut], cut
        self._chunks.insert(place + 1, tail)

    def _chunk_key(self, number: int) -> bytes:
        return self.key + number.to_bytes(4, "big")


def _pack(members: list[bytes]) -> bytes:
    return b"".join([_SIZE.pack(len(member)) + member for member in members])


def _unpack(record: bytes, at: int) -> list[bytes]:
    members, end = [], len(record)
    while at < end:
        size = record[at] | record[at + 1] << 8
        members.append(record[at + 2 : at + 2 + size])
        at += 2 + size
    return members
