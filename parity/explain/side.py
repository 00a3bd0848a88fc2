"""What an explanation needs of a run or a state: runs.py reads it from a run, stream/side.py from a state."""

from collections.abc import Collection
from typing import Protocol

import pyarrow as pa

from shared.stored import About, Entry, Event, Piece, Place, Strength, Trace


class Side(Protocol):
    """Reads what is stored of some ids. An id without a row is absent from what a method returns."""

    @property
    def about(self) -> About: ...

    def events(self, ids: Collection[str]) -> dict[str, Event]: ...

    def pieces(self, ids: Collection[str]) -> dict[str, tuple[Piece, ...]]:
        """A piece for each channel of the spec, as stored, damaged or not."""
        ...

    def members(self, entries: Collection[Entry]) -> dict[Entry, pa.Array]:
        """binary: the priority keys of the members of each bucket, in order.

        Of a run they follow from all signatures and items; of a state they are its postings.
        """
        ...

    def bucket_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        """What the engine itself held in its buckets."""
        ...

    def candidate_traces(self, ids: Collection[str]) -> dict[str, Trace]:
        """What the engine itself drew."""
        ...

    def edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        """id -> the earlier items it matches."""
        ...

    def later_edges(self, ids: Collection[str]) -> dict[str, dict[str, Strength]]:
        """id -> the later items that match it."""
        ...

    def linked(self, ids: Collection[str], most: int) -> dict[str, set[str]]:
        """id -> all that it has an edge with, either way; for these ids and all that they are connected with.

        Of more than `most` some are named and not followed: these are no keys.
        """
        ...

    def places(self, ids: Collection[str]) -> dict[str, Place]: ...

    def repeated(self, ids: Collection[str]) -> list[tuple[str, str, int]]:
        """(table, id, rows) where an id or edge has more rows than one; methods above take the last."""
        ...
