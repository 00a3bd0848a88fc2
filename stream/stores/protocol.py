"""What the index needs of a store. RocksDB and memory implement it; one test suite runs on both."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

# One column family a kind of record; stream/state.py says what each holds.
FAMILIES = (
    "meta",
    "items",
    "versions",
    "ages",
    "features",
    "postings",
    "candidates",
    "edges",
    "later",
    "clusters",
    "members",
    "dead",
)

AGAIN = (  # what can be done about a state that is damaged
    "start `crossfade consume` from a snapshot, or with a new --state folder, which reads the topic again"
)

Changes = Mapping[str, Mapping[bytes, bytes | None]]  # family -> key -> new value, None = delete


class Reader(Protocol):
    """A store that is only read. `name`: what it is called in sentences."""

    name: str

    def get_many(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of these keys, in their order; None where there is none."""
        ...

    def scan(self, family: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """(key, value) from `start` on, in byte order of the keys."""
        ...

    def close(self) -> None: ...


class Store(Reader, Protocol):
    def write(self, changes: Changes) -> None:
        """All of it or, after a crash, none of it."""
        ...

    def checkpoint(self, path: Path) -> None:
        """A copy of the state as it is now that `open_store` can open."""
        ...
