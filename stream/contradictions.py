"""Do the families of a state that no export shows agree with those that it does?

`later` must be the edges seen from their other end, `members` the sizes of the clusters, and `versions` (with
`ages`) the events that give the winners in items. Each family is read once, and what it must agree with
is looked up, some thousand records at a time; of the clusters a number a head is held.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

from shared.events import EVENT_SCHEMA
from shared.heads import key_id
from shared.spec import Spec
from shared.versions import NEVER, horizon, resolve
from stream import state
from stream.meta import state_watermark
from stream.state import Item, Match
from stream.stores.protocol import Reader

_BATCH = 4096
_WINNER = tuple(field.name for field in fields(Item) if field.name != "status")

T = TypeVar("T")


@dataclass(frozen=True)
class Contradiction:
    """A record of `family` (or one that it lacks), of this id, that contradicts another family."""

    family: str
    id: str
    says: str


def contradictions(store: Reader, spec: Spec) -> Iterator[Contradiction]:
    """All of them, of records that are well-formed (stream/checked.py)."""
    for edges in _batches(store.scan("edges")):
        yield from _edges_without_later(store, edges)
    for later in _batches(key for key, _ in store.scan("later")):
        yield from _later_without_edge(store, [state.unpack_later(key) for key in later])
    yield from _members(store)
    if spec.times.max_skew_ms is None:
        for key, _ in store.scan("versions"):
            yield Contradiction("versions", _name(key), "events are kept, and the spec has no max_skew_ms")
        return
    below = horizon(state_watermark(store, NEVER), spec.times)
    for kept in _batches(store.scan("versions")):
        yield from _versions(store, spec, kept, below)
    for items in _batches(key for key, _ in store.scan("items")):
        for key, value in zip(items, store.get_many("versions", items), strict=True):
            if value is None:
                yield Contradiction("versions", _name(key), "items has it, and no event of it is kept")


def _edges_without_later(store: Reader, edges: list[tuple[bytes, bytes]]) -> Iterator[Contradiction]:
    own = _priority_keys(store, [key for key, _ in edges])
    wanted = [
        (key, match, state.later_prefix(match.other) + own[key])
        for key, value in edges
        for match in state.unpack_matches(value)
        if key in own
    ]
    found = store.get_many("later", [later for _, _, later in wanted])
    for (key, match, _), value in zip(wanted, found, strict=True):
        if value is None:
            yield Contradiction("later", _name(key), f"only edges has its match with {_end(match.other)}")


def _later_without_edge(store: Reader, pairs: list[tuple[bytes, bytes]]) -> Iterator[Contradiction]:
    keys = _item_keys(later for _, later in pairs)
    own = _priority_keys(store, keys)
    for key, (earlier, later), value in zip(keys, pairs, store.get_many("edges", keys), strict=True):
        matches: list[Match] = state.unpack_matches(value) if value else []
        if own.get(key) != later or earlier not in (match.other for match in matches):
            yield Contradiction("later", _name(key), f"only later has its match with {_end(earlier)}")


def _members(store: Reader) -> Iterator[Contradiction]:
    counted: Counter[bytes] = Counter()
    for batch in _batches(value for _, value in store.scan("clusters")):
        counted.update(_item_keys(state.unpack_matches(value)[0].other for value in batch))
    for key, value in store.scan("members"):
        stated, found = int.from_bytes(value, "big"), counted.pop(key, 0)
        if stated != found:
            yield Contradiction("members", _name(key), f"it says {stated}; in clusters it has {found}")
    for key, found in counted.items():
        yield Contradiction("members", _name(key), f"it says nothing; in clusters it has {found}")


def _versions(
    store: Reader, spec: Spec, kept: list[tuple[bytes, bytes]], below: int
) -> Iterator[Contradiction]:
    keys = [key for key, _ in kept]
    rows = [row for key, value in kept for row in state.unpack_events(_name(key), value)]
    events = pa.Table.from_pylist(rows, EVENT_SCHEMA)
    winners = {row["id"]: row for row in resolve(events, spec.times, below).winners.to_pylist()}
    for key, value in zip(keys, store.get_many("items", keys), strict=True):
        item = state.unpack_item(value) if value else None
        if wrong := _not_the_winner(item, winners.get(_name(key))):
            yield Contradiction("versions", _name(key), wrong)
    if spec.times.retention_ms is not None:
        latest = {row["id"]: row["event_time"] for row in sorted(rows, key=lambda row: row["event_time"])}
        due = latest | {name: winner["version_time"] for name, winner in winners.items()}
        ages = store.get_many("ages", [state.age_key(due[_name(key)], key) for key in keys])
        for key, value in zip(keys, ages, strict=True):
            if value is None:
                yield Contradiction("ages", _name(key), "it does not say when it ages")


def _not_the_winner(item: Item | None, winner: dict[str, Any] | None) -> str:
    """How an id's row in items is not the winner of the events that are kept; "" where it is."""
    if item is None:
        return "an event that counts is kept, and items has not got it" if winner else ""
    if winner is None:
        return "items has it, and no event that counts is kept"
    other = [name for name in _WINNER if getattr(item, name) != winner[name]]
    return f"the event kept that wins has another {' and '.join(other)} than items" if other else ""


def _priority_keys(store: Reader, keys: list[bytes]) -> dict[bytes, bytes]:
    """By item key, of those that have a row in items."""
    values = store.get_many("items", keys)
    return {
        key: state.unpack_item(value).priority_key(key[1:])
        for key, value in zip(keys, values, strict=True)
        if value is not None
    }


def _item_keys(priority_keys: Iterable[bytes]) -> list[bytes]:
    return state.item_keys(pa.array([key_id(key) for key in priority_keys], pa.binary()).cast(pa.string()))


def _name(item_key: bytes) -> str:
    return item_key[1:].decode()


def _end(priority_key: bytes) -> str:
    return repr(key_id(priority_key).decode())


def _batches(entries: Iterator[T]) -> Iterator[list[T]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch
