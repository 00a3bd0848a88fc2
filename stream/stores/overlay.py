"""A micro-batch's changes over a store: read through, written at once by whoever commits."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import takewhile

from sortedcontainers import SortedDict

from stream.stores.protocol import FAMILIES, Reader

_SCANNED = ("later", "ages")  # the families that are looked up by prefix


class Overlay:
    """`changes` is what `Store.write` takes. The store itself is only read."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self.changes: dict[str, dict[bytes, bytes | None]] = {
            family: SortedDict() if family in _SCANNED else {} for family in FAMILIES
        }

    def get_many(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        changed = self.changes[family]
        if not changed:
            return self._store.get_many(family, keys)
        absent = [key for key in keys if key not in changed]
        stored = dict(zip(absent, self._store.get_many(family, absent), strict=True))
        return [changed[key] if key in changed else stored[key] for key in keys]

    def get(self, family: str, key: bytes) -> bytes | None:
        return self.get_many(family, [key])[0]

    def put(self, family: str, key: bytes, value: bytes | None) -> None:
        """None deletes."""
        self.changes[family][key] = value

    def put_many(self, family: str, entries: Mapping[bytes, bytes | None]) -> None:
        """`put` of each."""
        self.changes[family].update(entries)

    def with_prefix(self, family: str, prefix: bytes, stored: bool = True) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of every key of a scanned family with this prefix, in key order.

        stored=False: the store is known to have none, and is spared the look.
        """
        changed = self.changes[family]
        assert isinstance(changed, SortedDict)
        keys = takewhile(lambda key: key.startswith(prefix), changed.irange(prefix))
        put = ((key, changed[key]) for key in keys if changed[key] is not None)
        if not stored:
            yield from put
            return
        found = takewhile(lambda entry: entry[0].startswith(prefix), self._store.scan(family, prefix))
        yield from merge((entry for entry in found if entry[0] not in changed), put)
