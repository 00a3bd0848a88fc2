"""Rows of a run for the page: of some ids, from their shards."""

from collections.abc import Collection, Iterator
from typing import Any

from parity import rows
from shared.run import Run

Row = dict[str, Any]


def rows_of(run: Run, stage: str, ids: Collection[str], columns: list[str]) -> Iterator[Row]:
    """The rows of these ids; of edges: of the later."""
    for table in rows.rows_of(run, stage, ids, columns):
        yield from table.to_pylist()
