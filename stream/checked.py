"""A state's records, each held against what its family holds before anybody uses it.

What is looked at is the form of a record alone; whether records follow from each other is for
stream/contradictions.py and `crossfade explain`.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, islice

from shared.errors import SourceError
from shared.spec import Spec
from stream import postings, state
from stream.plain_postings import plain
from stream.stores.protocol import AGAIN, Reader

_MALFORMED = (struct.error, ValueError, IndexError)  # ValueError: what is no UTF-8, too
_BATCH = 512  # few enough to stay in the processor's cache
_KEY_SHOWN = 64
_LEAST = 17  # bytes of a priority key: two times, and an id


class Checked:
    """A reader of the same records. SourceError, which names family and key, where one is malformed."""

    def __init__(self, store: Reader, spec: Spec) -> None:
        self.name, self._store = store.name, store
        self._bands = [channel.bands.count for channel in spec.channels]
        self._checks = _checks(spec)

    def get_many(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        values = self._store.get_many(family, keys)
        found = zip(keys, values, strict=True)
        self._look_at(family, ((key, value) for key, value in found if value is not None))
        return values

    def scan(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        entries = self._store.scan(family, start)
        if family == "postings" and not start:  # by far the most records of a state
            while batch := list(islice(entries, _BATCH)):
                self._look_at(family, compress(batch, ~plain(batch, self._bands)))
                yield from batch
            return
        for entry in entries:
            self._look_at(family, [entry])
            yield entry

    def _look_at(self, family: str, entries: Iterable[tuple[bytes, bytes]]) -> None:
        check = self._checks[family]
        for key, value in entries:
            try:
                check(key, value)
            except _MALFORMED as error:
                raise self._damaged(family, key, error) from error

    def close(self) -> None:
        self._store.close()

    def _damaged(self, family: str, key: bytes, error: Exception) -> SourceError:
        return SourceError(
            f"{self.name}: the record {key[:_KEY_SHOWN]!r} of the family {family} is damaged "
            f"({_what(error)}); {AGAIN}"
        )


def _what(error: Exception) -> str:
    if isinstance(error, struct.error):
        return "it ends too early"
    if isinstance(error, UnicodeDecodeError):
        return "an id or a name in it is no UTF-8"
    if isinstance(error, IndexError):
        return "a number in it stands for nothing"
    return str(error)


def _checks(spec: Spec) -> Mapping[str, Callable[[bytes, bytes], None]]:
    """By family."""
    channels = range(len(spec.channels))
    return {
        "meta": _discard,  # stream/meta.py looks at each
        "items": _item,
        "versions": lambda key, value: _events(_id(key), value),
        "ages": _age,
        "features": partial(_features, 2 * len(channels)),
        "postings": partial(_posting, [channel.bands.count for channel in spec.channels]),
        "candidates": _candidates,
        "edges": partial(_edges, channels),
        "later": _later,
        "clusters": partial(_cluster, range(state.NO_CHANNEL, len(channels))),
        "members": _members,
        "dead": _dead,
    }


def _discard(*values: object) -> None:
    """Nothing is asked of these values: that they could be made says enough."""


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _id(key: bytes) -> str:
    """The id of an item key."""
    _require(len(key) > 1, "its key is none of an item")
    return key[1:].decode()


def _priority(key: bytes) -> None:
    _require(len(key) >= _LEAST, "it names an item without times and id")
    key[16:].decode()


def _item(key: bytes, value: bytes) -> None:
    _discard(_id(key), state.unpack_item(value))


def _events(item: str, value: bytes) -> None:
    _require(bool(state.unpack_events(item, value)), "it is empty")


def _age(key: bytes, value: bytes) -> None:
    _require(value == b"", "it has a value and should have none")
    _id(key[8:])


def _features(pieces: int, key: bytes, value: bytes) -> None:
    _id(key)
    found = len(state.unpack_pieces(value))
    _require(found == pieces, f"it has {found} signatures and verification records and not {pieces}")


def _candidates(key: bytes, value: bytes) -> None:
    _id(key)
    _require(0 < state.unpack_trace(value)[0] < 2**63, "it is no number of items")


def _matches(channels: range, value: bytes) -> int:
    matches = state.unpack_matches(value)
    for match in matches:
        _priority(match.other)
        _require(match.channel in channels, f"the spec has no channel {match.channel}")
    return len(matches)


def _edges(channels: range, key: bytes, value: bytes) -> None:
    _id(key)
    _require(_matches(channels, value) > 0, "it is empty")


def _cluster(channels: range, key: bytes, value: bytes) -> None:
    _id(key)
    _require(_matches(channels, value) == 1, "it does not name one head")


def _later(key: bytes, value: bytes) -> None:
    _require(value == b"", "it has a value and should have none")
    for end in state.unpack_later(key):
        _priority(end)


def _members(key: bytes, value: bytes) -> None:
    _id(key)
    _require(len(value) == 8 and any(value), "it is no number of members")


def _dead(key: bytes, value: bytes) -> None:
    _require(len(key) == 12, "its key is no place in the log")
    _require(bool(value.decode()), "it gives no reason")


def _posting(bands: Sequence[int], key: bytes, value: bytes) -> None:
    place = postings.bucket_of(key)
    channel, band, _ = place or postings.bucket_place(key)
    _require(band < bands[channel], f"the channel has no band {band}")
    _require(place is not None or len(key) == postings.CHUNK_KEY, "its key is of no bucket")
    members = postings.record_members(value) if place else postings.chunk_members(value)
    _require(bool(members), "it has no members")
    for member in members:
        _priority(member)
