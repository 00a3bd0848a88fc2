"""The store's twin in memory, for tests and for what fits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sortedcontainers import SortedDict

from stream.stores.protocol import FAMILIES, Changes


class MemoryStore:
    def __init__(self) -> None:
        self.name = "the state in memory"
        self._families = {family: SortedDict() for family in FAMILIES}

    def get_many(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        values = self._families[family]
        return [values.get(key) for key in keys]

    def scan(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        values = self._families[family]
        for key in values.irange(start):
            yield key, values[key]

    def write(self, changes: Changes) -> None:
        for family, entries in changes.items():
            values = self._families[family]
            for key, value in entries.items():
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value

    def checkpoint(self, path: Path) -> None:
        from stream.stores.rocks import RocksStore

        copy = RocksStore(path, create=True)
        copy.write({family: dict(values) for family, values in self._families.items()})
        copy.close()

    def close(self) -> None:
        pass
