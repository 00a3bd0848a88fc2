"""Faults in a live state: what RocksDB holds is changed behind the consumer's back, then exported."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from parity.faults import Fault
from shared.heads import key_id
from stream import state
from stream.postings import CHUNK, Bucket, bucket_of, lone_member
from stream.state import Item, Match
from stream.stores.protocol import Store

Entry = tuple[bytes, bytes]


def _pick(
    store: Store, family: str, wanted: Callable[[bytes, bytes], bool] = lambda key, value: True
) -> Entry:
    """One entry in the middle of those wanted, the same every time."""
    found = [entry for entry in store.scan(family) if wanted(*entry)]
    return found[len(found) // 2]


def _put(store: Store, family: str, key: bytes, value: bytes | None) -> None:
    store.write({family: {key: value}})


def _item(change: Callable[[Item], Item | None], **where: Any) -> Callable[[Store], None]:
    """One row of items becomes another, or goes."""

    def inject(store: Store) -> None:
        key, value = _pick(
            store, "items", lambda _, v: all(getattr(state.unpack_item(v), n) == w for n, w in where.items())
        )
        changed = change(state.unpack_item(value))
        _put(store, "items", key, changed.pack() if changed else None)

    return inject


def _piece(place: int, change: Callable[[bytes], bytes]) -> Callable[[Store], None]:
    """One item's signature (place 0) or record (1) of the first channel."""

    def inject(store: Store) -> None:
        key, value = _pick(store, "features", lambda _, v: state.unpack_pieces(v)[place] is not None)
        pieces = state.unpack_pieces(value)
        pieces[place] = change(pieces[place] or b"")
        _put(store, "features", key, state.pack_pieces(pieces))

    return inject


def _matches(
    family: str, change: Callable[[list[Match]], list[Match]], several: bool
) -> Callable[[Store], None]:
    """The edges of an item, or its cluster row. several: more than one, or with a head that it matches."""

    def inject(store: Store) -> None:
        def wanted(key: bytes, value: bytes) -> bool:
            found = state.unpack_matches(value)
            direct = family == "clusters" and found[0].channel != state.NO_CHANNEL
            return not several or len(found) > 1 or direct

        key, value = _pick(store, family, wanted)
        found = change(state.unpack_matches(value))
        _put(store, family, key, state.pack_matches(found) if found else None)

    return inject


def _bucket(change: Callable[[Bucket], object], members: int = 2) -> Callable[[Store], None]:
    """The postings of one bucket of at least so many members, and small enough to be one record."""

    def inject(store: Store) -> None:
        def wanted(key: bytes, value: bytes) -> bool:
            if bucket_of(key) is None or value[0] != 0:
                return False
            return members <= len(Bucket(key, value, lambda _: None)) <= CHUNK

        key, value = _pick(store, "postings", wanted)
        bucket = Bucket(key, value, lambda _: None)
        change(bucket)
        store.write({"postings": dict(bucket.records())})

    return inject


def _stale(store: Store) -> None:
    """A deleted item is still in a bucket."""
    key, value = _pick(store, "items", lambda _, v: state.unpack_item(v).op == "delete")
    member = state.unpack_item(value).priority_key(key[1:])
    _bucket(lambda bucket: bucket.insert(member))(store)


def _older_version(store: Store) -> None:
    """An item is in a bucket with the times of an older version too."""

    def change(bucket: Bucket) -> None:
        (member,) = bucket.members(0, 1)
        bucket.insert(bytes(16) + key_id(member))

    _bucket(change)(store)


def _wrong_bucket(store: Store) -> None:
    """The only entry of a bucket stands in one that is not its signature's."""

    def lone(key: bytes, value: bytes) -> bool:
        return bucket_of(key) is not None and value[0] == 0 and len(Bucket(key, value, lambda _: None)) == 1

    key, value = _pick(store, "postings", lone)
    member = Bucket(key, value, lambda _: None).members(0, 1)[0]
    store.write({"postings": {key: None, key[:3] + bytes(8): lone_member(member)}})


def _trace(change: Callable[[int, int], tuple[int, int]]) -> Callable[[Store], None]:
    def inject(store: Store) -> None:
        key, value = _pick(store, "candidates")
        _put(store, "candidates", key, state.pack_trace(*change(*state.unpack_trace(value))))

    return inject


def _dead(store: Store) -> None:
    key, _ = _pick(store, "dead")
    _put(store, "dead", key, None)


def _offsets(store: Store) -> None:
    """The state says that it stands a record further than it does."""
    key, value = _pick(store, "meta", lambda key, _: key == state.META_OFFSETS)
    offsets = orjson.loads(value)
    offsets["0"] += 1
    _put(store, "meta", key, orjson.dumps(offsets))


def _flip(value: bytes) -> bytes:
    return value[:6] + bytes([value[6] ^ 8]) + value[7:]


def _weaker(matches: list[Match]) -> list[Match]:
    return [replace(matches[0], numerator=matches[0].numerator - 1), *matches[1:]]


def _become_head(store: Store) -> None:
    """A member is made the head of itself."""
    key, _ = _pick(store, "clusters", lambda k, v: key_id(state.unpack_matches(v)[0].other) != k[1:])
    (row,) = store.get_many("items", [key])
    own = state.unpack_item(row or b"").priority_key(key[1:])
    _put(store, "clusters", key, state.pack_matches([Match(own, state.NO_CHANNEL, 0, 0)]))


def _state(name: str, stage: str, kind: str, inject: Callable[[Store], None], **other: Any) -> Fault:
    return Fault(name, "state", stage, kind, inject, **other)


STATE_FAULTS: Sequence[Fault] = (
    _state(
        "an item is lost from the state",
        "event",
        "missing",
        _item(lambda item: None, status="payload_too_large"),
    ),
    _state("a tombstone is lost from the state", "event", "missing", _item(lambda item: None, op="delete")),
    _state(
        "a tombstone is an upsert again",
        "event",
        "wrong",
        _item(lambda item: replace(item, op="upsert", status="payload_invalid"), op="delete"),
    ),
    _state(
        "an item's event time in the state",
        "event",
        "wrong",
        _item(lambda item: replace(item, event_time=item.event_time + 1), status="ok"),
    ),
    _state(
        "an item's status in the state",
        "features",
        "wrong",
        _item(lambda item: replace(item, status="payload_invalid"), status="payload_too_large"),
    ),
    _state("a dead letter is forgotten", "event", "wrong", _dead),
    _state("a bit of a stored signature", "signature", "wrong", _piece(0, _flip)),
    _state("a bit of a stored record", "features", "wrong", _piece(1, _flip)),
    _state(
        "a stored record loses its last token", "features", "wrong", _piece(1, lambda record: record[:-8])
    ),
    _state(
        "a posting is lost",
        "bucket",
        "wrong",
        _bucket(lambda bucket: bucket.remove(bucket.members(1, 2)[0]), 6),
    ),
    _state("a posting of a deleted item is left", "bucket", "extra", _stale),
    _state("a posting of an older version is left", "bucket", "wrong", _older_version),
    _state("a posting in another bucket", "bucket", "wrong", _wrong_bucket),
    _state(
        "the trace of what was drawn", "candidate", "wrong", _trace(lambda count, trace: (count, trace ^ 1))
    ),
    _state(
        "the number of what was drawn", "candidate", "wrong", _trace(lambda count, trace: (count - 1, trace))
    ),
    _state("an edge is lost from the state", "match", "missing", _matches("edges", lambda m: m[1:], True)),
    _state("an edge's numerator in the state", "match", "wrong", _matches("edges", _weaker, False)),
    _state(
        "a cluster row is lost from the state", "cluster", "missing", _matches("clusters", lambda m: [], True)
    ),
    _state("a member is a head in the state", "cluster", "wrong", _become_head),
    _state("a strength in the state", "cluster", "wrong", _matches("clusters", _weaker, True)),
    _state("the state says that it stands further", "refused", "different fences", _offsets),
)
