"""The index, maintained under any order of arrival, edits and deletes.

A micro-batch first removes what is no longer so, then inserts what is new. Each half does the same
four steps: change the buckets, probe again every item whose draws changed, verify the new pairs, and
settle the heads (stream/settle.py). What it ends in depends on the set of items alone; DESIGN.md,
section 1, has the argument and docs/semantics.md the rules.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared import lsh, traces
from shared.heads import key_id
from shared.similarity import NO_MATCH, ChannelFeatures, verify
from shared.spec import Spec
from stream.postings import Bucket, bucket_keys, lone_member
from stream.state import (
    Match,
    item_keys,
    later_prefix,
    pack_matches,
    pack_pieces,
    pack_trace,
    unpack_matches,
    unpack_pieces,
)
from stream.stores.overlay import Overlay

Pair = tuple[bytes, bytes]  # priority keys: the later, the earlier


@dataclass(frozen=True)
class Entry:
    """An item to insert: its priority key and, a channel, its signature and record (None: no features)."""

    key: bytes
    pieces: tuple[bytes | None, ...]


class Index:
    """One micro-batch's work on the index. Everything it changes is in `state`; call `flush` at the end."""

    def __init__(self, spec: Spec, state: Overlay) -> None:
        self.spec, self.state = spec, state
        self._draws = [(channel.draws.first, channel.draws.near) for channel in spec.channels]
        self._buckets: dict[bytes, Bucket] = {}
        self._read_chunk = partial(state.get, "postings")
        self._item_keys: dict[bytes, bytes] = {}
        self._id_hashes: dict[bytes, int] = {}
        self._features: dict[bytes, list[bytes | None]] = {}
        self._changed: set[bytes] = set()  # both ends of every edge that came or went
        self._new: set[bytes] = set()  # inserted by this batch, so that the store has no edge of theirs
        self.verified = 0  # pairs, for the counts that people look at

    def remove(self, keys: Sequence[bytes]) -> set[bytes]:
        """Take these items (priority keys) out. The remaining items whose edges changed."""
        affected: set[bytes] = set()
        # From the end: what goes from among a bucket's first concerns all behind it, so let few be there.
        keys = sorted(keys, reverse=True)
        for key, buckets in zip(keys, self._open_all(keys), strict=True):
            for bucket in buckets:
                first, near = self._draws[bucket.channel]
                rank = bucket.remove(key)
                affected.update(bucket.members(rank, len(bucket) if rank < first else rank + near))
        gone = set(keys)
        self._cut_edges(keys)
        for key, item in zip(keys, self.item_keys(keys), strict=True):
            self.state.put("features", item, None)
            self.state.put("candidates", item, None)
            self._features.pop(key, None)
        self._probe_again(affected - gone)
        return self._take_changed() - gone

    def insert(self, entries: Sequence[Entry]) -> set[bytes]:
        """Put these items in; none of them may be there. The items whose edges changed, and the new."""
        # In priority order, and so into each bucket: then only the first few can stand before all others.
        entries = sorted(entries, key=lambda entry: entry.key)
        keys = [entry.key for entry in entries]
        for entry, item in zip(entries, self.item_keys(keys), strict=True):
            self.state.put("features", item, pack_pieces(entry.pieces))
            self._features[entry.key] = list(entry.pieces)
        lone = [lone_member(key) for key in keys]
        names, rows, single = self._buckets_in_order(keys)
        records = self.state.get_many("postings", names)
        alone: dict[bytes, bytes | None] = {}  # most buckets, most of the time
        shared: dict[bytes, list[Bucket]] = {}
        affected: set[bytes] = set()
        for name, row, only, record in zip(names, rows, single, records, strict=True):
            bucket = self._buckets.get(name)
            if bucket is None:
                if only and record is None:
                    alone[name] = lone[row]
                    continue
                bucket = self._open(name, record)
            key = keys[row]
            rank = bucket.insert(key)
            shared.setdefault(key, []).append(bucket)
            if rank < len(bucket) - 1:
                first, near = self._draws[bucket.channel]
                affected.update(bucket.members(rank + 1, len(bucket) if rank < first else rank + 1 + near))
        self.state.put_many("postings", alone)
        new = set(keys)
        self._new |= new
        self._probe_again(affected - new, new)
        self._probe([(key, buckets, {}) for key, buckets in sorted(shared.items())])
        return self._take_changed() | new

    def flush(self) -> None:
        """Write the buckets that changed into the overlay."""
        for bucket in self._buckets.values():
            for key, value in bucket.records():
                self.state.put("postings", key, value)

    def match(self, pairs: Iterable[Pair]) -> dict[Pair, Match | None]:
        """Verify these pairs. An item that is not in the index matches nothing."""
        wanted = list(pairs)
        if not wanted:
            return {}
        self.verified += len(wanted)
        keys = sorted({key for pair in wanted for key in pair})
        row = {key: i for i, key in enumerate(keys)}
        left = np.array([row[later] for later, _ in wanted], dtype=np.int64)
        right = np.array([row[earlier] for _, earlier in wanted], dtype=np.int64)
        found = verify(self.spec.channels, self._channel_features(keys), left, right)
        numbers = zip(
            found.channel.tolist(), found.numerator.tolist(), found.denominator.tolist(), strict=True
        )
        return {
            pair: None if channel == NO_MATCH else Match(pair[1], channel, numerator, denominator)
            for pair, (channel, numerator, denominator) in zip(wanted, numbers, strict=True)
        }

    def edges(self, keys: Sequence[bytes]) -> list[list[Match]]:
        """The matches of each item among the earlier."""
        values = self.state.get_many("edges", self.item_keys(keys))
        return [unpack_matches(value) if value else [] for value in values]

    def later(self, key: bytes) -> list[bytes]:
        """The later items that have an edge to this one."""
        prefix = later_prefix(key)
        found = self.state.with_prefix("later", prefix, stored=key not in self._new)
        return [entry[len(prefix) :] for entry, _ in found]

    def item_keys(self, keys: Sequence[bytes]) -> list[bytes]:
        """The item key of each priority key."""
        known = self._item_keys
        missing = [key for key in keys if key not in known]
        if missing:
            ids = pa.array([key_id(key) for key in missing], pa.binary()).cast(pa.string())
            known.update(zip(missing, item_keys(ids), strict=True))
        return [known[key] for key in keys]

    def _probe_again(self, keys: set[bytes], inserted: set[bytes] | None = None) -> None:
        """Draw again for items that are there, and bring their edges up to date."""
        items = sorted(keys)
        before = [{match.other: match for match in matches} for matches in self.edges(items)]
        self._probe(list(zip(items, self._open_all(items), before, strict=True)), inserted)

    def _probe(
        self,
        items: Sequence[tuple[bytes, list[Bucket], dict[bytes, Match]]],
        inserted: set[bytes] | None = None,
    ) -> None:
        """Draw for items, each with the buckets it shares and the edges it had; write its edges now.

        inserted: where nothing but these came into the buckets, whatever else is drawn was drawn before, and
        is no match unless it had an edge.
        """
        drawn: list[set[bytes]] = []
        for key, buckets, _ in items:
            found: set[bytes] = set()
            for bucket in buckets:
                if len(bucket) > 1:
                    rank = bucket.rank(key)
                    end, start = lsh.draw_bounds(rank, *self._draws[bucket.channel])
                    if start == end:
                        found.update(bucket.members(0, rank))
                    else:
                        found.update(bucket.members(0, end), bucket.members(start, rank))
            drawn.append(found)
        self._trace([key for key, _, _ in items], drawn)
        pairs = zip(items, drawn, strict=True)
        verified = self.match(
            (key, other)
            for (key, _, before), found in pairs
            for other in (found if inserted is None else found & inserted) - before.keys()
        )
        for (key, _, before), found in zip(items, drawn, strict=True):
            matches = {other: before.get(other) or verified.get((key, other)) for other in found}
            now = {other: match for other, match in matches.items() if match is not None}
            if now != before:
                self._write_edges(key, before, now)

    def _trace(self, keys: Sequence[bytes], drawn: Sequence[set[bytes]]) -> None:
        """Keep what each item drew as a trace, for whoever compares engines."""
        known = self._id_hashes
        missing = list({other for found in drawn for other in found} - known.keys())
        hashes = traces.id_hashes(pa.array([key_id(key) for key in missing], pa.binary()))
        known.update(zip(missing, hashes.tolist(), strict=True))
        for item, found in zip(self.item_keys(keys), drawn, strict=True):
            trace = traces.signed(sum(known[other] for other in found))
            self.state.put("candidates", item, pack_trace(len(found), trace) if found else None)

    def _write_edges(self, key: bytes, before: dict[bytes, Match], now: dict[bytes, Match]) -> None:
        (item,) = self.item_keys([key])
        self.state.put("edges", item, pack_matches([now[other] for other in sorted(now)]) if now else None)
        for other in before.keys() - now.keys():
            self.state.put("later", later_prefix(other) + key, None)
        for other in now.keys() - before.keys():
            self.state.put("later", later_prefix(other) + key, b"")
        self._changed.add(key)
        self._changed.update(before.keys() ^ now.keys())

    def _take_changed(self) -> set[bytes]:
        changed, self._changed = self._changed, set()
        return changed

    def _cut_edges(self, keys: Sequence[bytes]) -> None:
        """Remove every edge of these items."""
        for key, matches in zip(keys, self.edges(keys), strict=True):
            if matches:
                self._write_edges(key, {match.other: match for match in matches}, {})
            lost = self.later(key)
            for later, known in zip(lost, self.edges(lost), strict=True):
                before = {match.other: match for match in known}
                self._write_edges(later, before, {other: m for other, m in before.items() if other != key})

    def _pieces(self, keys: Sequence[bytes]) -> list[list[bytes | None]]:
        """Signature and record of each channel, of each item; nothing but None where it is not there."""
        missing = [key for key in keys if key not in self._features]
        nothing: list[bytes | None] = [None] * (2 * len(self.spec.channels))
        for key, value in zip(missing, self.state.get_many("features", self.item_keys(missing)), strict=True):
            self._features[key] = unpack_pieces(value) if value else nothing
        return [self._features[key] for key in keys]

    def _channel_features(self, keys: Sequence[bytes]) -> list[ChannelFeatures]:
        columns = list(zip(*self._pieces(keys), strict=True))
        return [
            ChannelFeatures(*(pa.array(columns[2 * c + i], pa.large_binary()) for i in range(2)))
            for c in range(len(self.spec.channels))
        ]

    def _bucket_values(
        self, keys: Sequence[bytes]
    ) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
        """(channel, rows, values): in each channel the items that have features, and uint64[rows, bands]."""
        pieces = self._pieces(keys)
        for order, channel in enumerate(self.spec.channels):
            rows = [i for i in range(len(keys)) if pieces[i][2 * order] is not None]
            raw = b"".join([pieces[i][2 * order] or b"" for i in rows])
            signatures = np.frombuffer(raw, "<u4").reshape(len(rows), channel.minhash.permutations)
            yield order, np.array(rows, np.int64), lsh.buckets(signatures, channel.bands)

    def _bucket_names(self, keys: Sequence[bytes]) -> list[list[bytes]]:
        """The keys of each item's buckets."""
        found: list[list[bytes]] = [[] for _ in keys]
        for channel, rows, values in self._bucket_values(keys):
            names, bands = bucket_keys(channel, values), values.shape[1]
            for place, row in enumerate(rows.tolist()):
                found[row] += names[place * bands : (place + 1) * bands]
        return found

    def _buckets_in_order(self, keys: Sequence[bytes]) -> tuple[list[bytes], list[int], list[bool]]:
        """(bucket key, item, whether no other of these items is in it) of all buckets, sorted by key.

        RocksDB answers neighbours three times as fast as it answers keys in any order.
        """
        names: list[bytes] = []
        items: list[int] = []
        single: list[bool] = []
        for channel, rows, values in self._bucket_values(keys):
            order = values.argsort(axis=0, kind="stable")
            in_order = np.take_along_axis(values, order, axis=0)
            differs = np.ones((len(rows) + 1, values.shape[1]), np.bool_)
            differs[1:-1] = in_order[1:] != in_order[:-1]
            names += bucket_keys(channel, in_order, by_band=True)
            items += rows[order].T.ravel().tolist()
            single += (differs[1:] & differs[:-1]).T.ravel().tolist()
        return names, items, single

    def _open_all(self, keys: Sequence[bytes]) -> list[list[Bucket]]:
        """Each item's buckets."""
        names = self._bucket_names(keys)
        missing = list({name for each in names for name in each} - self._buckets.keys())
        for name, record in zip(missing, self.state.get_many("postings", missing), strict=True):
            self._open(name, record)
        return [[self._buckets[name] for name in each] for each in names]

    def _open(self, name: bytes, record: bytes | None) -> Bucket:
        bucket = Bucket(name, record, self._read_chunk)
        self._buckets[name] = bucket
        return bucket
