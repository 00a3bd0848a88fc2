"""The side of a state in `crossfade explain`: what parity/explain/side.py asks for, from a store."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import takewhile
from pathlib import Path

import pyarrow as pa

from shared.heads import key_id
from shared.stored import About, Entry, Event, Piece, Place, Strength, Trace, bucket_entries
from stream import state
from stream.bucket_traces import bucket_traces
from stream.checked import Checked
from stream.meta import state_contract, state_fence, state_spec
from stream.postings import Bucket, bucket_key
from stream.stores.memory import MemoryStore
from stream.stores.protocol import Reader


class StateSide:
    """all_postings: look for an id's entries in all postings, not only where its signature says they are."""

    def __init__(self, store: Reader, path: Path, all_postings: bool = False) -> None:
        contract, spec = state_contract(store), state_spec(store)
        self._store, self._all_postings = Checked(store, spec), all_postings
        self._about = About(
            path=str(path),
            kind="state",
            engine="stream",
            spec=spec,
            contract=contract["contract"],
            contract_id=contract["id"],
            fence=state_fence(store),
        )

    @property
    def about(self) -> About:
        return self._about

    def events(self, ids: Collection[str]) -> dict[str, Event]:
        return {item: Event(**vars(state.unpack_item(value))) for item, value in self._values("items", ids)}

    def pieces(self, ids: Collection[str]) -> dict[str, tuple[Piece, ...]]:
        found = {}
        for item, value in self._values("features", ids):
            pieces = state.unpack_pieces(value)
            found[item] = tuple(Piece(*pair) for pair in zip(pieces[::2], pieces[1::2], strict=True))
        return found

    def members(self, entries: Collection[Entry]) -> dict[Entry, pa.Array]:
        found = {}
        for entry in entries:
            key = bucket_key(*entry)
            records = defaultdict(bytes, self._records(key))  # of a chunk that is lost no members
            bucket = Bucket(key, records.get(key), records.__getitem__)
            found[entry] = pa.array(bucket.members(0, len(bucket)), pa.binary())
        return found

    def bucket_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        store = self._store if self._all_postings else self._part(ids)
        rows = bucket_traces(store, self._about.spec)
        return {item: (entries, trace) for _, item, entries, trace in rows if item in ids}

    def candidate_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        return {item: state.unpack_trace(value) for item, value in self._values("candidates", ids)}

    def edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        return {item: self._strengths(value) for item, value in self._values("edges", ids)}

    def later_edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        found: dict[str, dict[str, Strength]] = {}
        for item, event in self.events(ids).items():
            prefix = state.later_prefix(event.key(item))
            later = {key_id(key[len(prefix) :]).decode() for key in self._with_prefix("later", prefix)}
            matches = self.edges(later)
            own = {name: matches[name][item] for name in later if item in matches.get(name, {})}
            if own:
                found[item] = own
        return found

    def linked(self, ids: Collection[str], most: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        front = set(ids)
        while front and len(found) <= most:
            earlier, later = self.edges(front), self.later_edges(front)
            found |= {item: {*earlier.get(item, ()), *later.get(item, ())} for item in front}
            front = {other for item in front for other in found[item]} - found.keys()
        return found

    def places(self, ids: Collection[str]) -> dict[str, Place]:
        found = {}
        for item, value in self._values("clusters", ids):
            (match,) = state.unpack_matches(value)
            found[item] = Place(key_id(match.other).decode(), self._strength(match))
        return found

    def repeated(self, ids: Collection[str]) -> list[tuple[str, str, int]]:
        return []  # one key, one value

    def _values(self, family: str, ids: Collection[str]) -> Iterator[tuple[str, bytes]]:
        names = sorted(ids)
        values = self._store.get_many(family, state.item_keys(pa.array(names, pa.string())))
        yield from ((name, value) for name, value in zip(names, values, strict=True) if value is not None)

    def _with_prefix(self, family: str, prefix: bytes) -> dict[bytes, bytes]:
        return dict(takewhile(lambda entry: entry[0].startswith(prefix), self._store.scan(family, prefix)))

    def _records(self, key: bytes) -> dict[bytes, bytes]:
        """A bucket's own record and its chunks'."""
        return self._with_prefix("postings", key)

    def _strengths(self, value: bytes) -> dict[str, Strength]:
        matches = state.unpack_matches(value)
        strengths = ((key_id(match.other).decode(), self._strength(match)) for match in matches)
        return {earlier: strength for earlier, strength in strengths if strength is not None}

    def _strength(self, match: state.Match) -> Strength | None:
        if match.channel == state.NO_CHANNEL:
            return None
        return Strength(self._about.spec.channels[match.channel].name, match.numerator, match.denominator)

    def _part(self, ids: Collection[str]) -> MemoryStore:
        """The items of these ids, and the postings of all buckets that their signatures name."""
        part = MemoryStore()
        keys = state.item_keys(pa.array(sorted(ids), pa.string()))
        items = dict(zip(keys, self._store.get_many("items", keys), strict=True))
        postings: dict[bytes, bytes | None] = {}
        for pieces in self.pieces(ids).values():
            for entry in bucket_entries(self._about.spec, pieces):
                postings.update(self._records(bucket_key(*entry)))
        part.write({"items": items, "postings": postings})
        return part
