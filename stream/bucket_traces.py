"""What the postings say each item is in: its bucket entries, as the trace that a run stores.

The postings themselves are read, not what they should be: an entry that was lost, or one that a deleted
item left behind, shows as a difference of that item.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from heapq import merge
from itertools import accumulate, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from shared import traces
from shared.heads import key_id
from shared.sketch import INDEXED
from shared.spec import Spec
from shared.xxh64 import hash_binary, xxh64
from stream import state
from stream.plain_postings import joined
from stream.postings import BUCKET_KEY, BUCKETS, packed_members
from stream.stores.protocol import Reader

_BATCH_BYTES = 8 * 2**20
_KEYS = 65_536  # hashed at once

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
Row = tuple[int, str, int, int]  # shard, id, entries, trace


def bucket_traces(store: Reader, spec: Spec) -> Iterator[Row]:
    """A row of every id that has an entry, by (shard, id). Memory: 24 bytes an indexed item.

    A member with other times than its item's, or of an item that is not in the index, is no member that
    any other engine has: it counts among its id's entries and makes the trace another.
    """
    keys = _hashes(_member_keys(store))
    order = np.argsort(keys)
    entries, sums = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.uint64)
    strangers: dict[bytes, list[int]] = defaultdict(lambda: [0, 0])  # item key -> entries, trace
    first_slot = list(accumulate((channel.bands.count for channel in spec.channels), initial=0))
    for buckets, data, starts in _batches(store):
        slots = np.array(first_slot)[buckets["channel"]] + buckets["band"]
        counts, begin, end, members = _members(data, starts)
        values = buckets["value"].astype(np.uint64)
        hashes = traces.entry_hashes(np.repeat(slots, counts), np.repeat(values, counts))
        at, known = _places(keys, order, members)
        np.add.at(entries, at[known], 1)
        np.add.at(sums, at[known], hashes[known])
        for i in np.flatnonzero(~known).tolist():
            (item,) = state.item_keys(pa.array([key_id(data[begin[i] : end[i]].tobytes()).decode()]))
            strangers[item][0] += 1
            strangers[item][1] += int(hashes[i]) + int(members[i])
    own = zip((key for key, _ in _indexed(store)), entries.tolist(), sums.tolist(), strict=True)
    return _rows(merge(own, ((item, *counted) for item, counted in sorted(strangers.items()))))


def _indexed(store: Reader) -> Iterator[tuple[bytes, state.Item]]:
    """(item key, item) of those in the index."""
    for key, value in store.scan("items"):
        item = state.unpack_item(value)
        if item.status in INDEXED:
            yield key, item


def _member_keys(store: Reader) -> Iterator[bytes]:
    return (item.priority_key(key[1:]) for key, item in _indexed(store))


def _hashes(keys: Iterator[bytes]) -> UInt64s:
    found = [np.empty(0, np.uint64)]
    while some := list(islice(keys, _KEYS)):
        found.append(hash_binary(pa.array(some, pa.binary()), 0))
    return np.concatenate(found)


def _places(keys: UInt64s, order: Int64s, members: UInt64s) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Where in `keys` each member is, and whether it is there."""
    if not len(keys):
        return np.zeros(len(members), np.int64), np.zeros(len(members), bool)
    at = order[np.minimum(np.searchsorted(keys, members, sorter=order), len(keys) - 1)]
    return at, keys[at] == members


def _rows(found: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
    """One row an item key, of (item key, entries, trace) in order; two of one key are added up."""
    last, entries, trace = b"", 0, 0
    for key, more, other in found:
        if key != last:
            if entries:
                yield last[0], last[1:].decode(), entries, traces.signed(trace)
            last, entries, trace = key, 0, 0
        entries, trace = entries + more, trace + other
    if entries:
        yield last[0], last[1:].decode(), entries, traces.signed(trace)


def _batches(store: Reader) -> Iterator[tuple[npt.NDArray[np.void], npt.NDArray[np.uint8], Int64s]]:
    """(BUCKETS[n], their members packed, int64[n + 1] where each begins), _BATCH_BYTES at a time."""
    keys: list[bytes] = []
    packed: list[bytes] = []
    size, read = 0, partial(store.get_many, "postings")
    for key, value in store.scan("postings"):
        if len(key) != BUCKET_KEY:
            continue  # a chunk, which is read where its bucket is
        members = packed_members(key, value, read)
        keys.append(key)
        packed.append(members)
        size += len(members)
        if size >= _BATCH_BYTES:
            yield np.frombuffer(b"".join(keys), BUCKETS), *joined(packed)
            keys, packed, size = [], [], 0
    yield np.frombuffer(b"".join(keys), BUCKETS), *joined(packed)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _members(data: npt.NDArray[np.uint8], starts: Int64s) -> tuple[Int64s, Int64s, Int64s, UInt64s]:
    """(members of each bucket; of each member: where its key begins and ends in data, and its hash)."""
    counts = np.zeros(len(starts) - 1, np.int64)
    for g in range(len(starts) - 1):
        at = starts[g]
        while at < starts[g + 1]:
            at += 2 + (np.int64(data[at]) | np.int64(data[at + 1]) << 8)
            counts[g] += 1
    n = counts.sum()
    begin, end, hashes = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
    i = 0
    for g in range(len(starts) - 1):
        at = starts[g]
        while at < starts[g + 1]:
            begin[i] = at + 2
            at += 2 + (np.int64(data[at]) | np.int64(data[at + 1]) << 8)
            end[i] = at
            hashes[i] = xxh64(data, begin[i], end[i], np.uint64(0))
            i += 1
    return counts, begin, end, hashes
