"""Rows of a run for the page, in bounded memory: a batch, and what was asked for."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from parity import rows
from shared.run import Run

Row = dict[str, Any]


def rows_of(run: Run, stage: str, ids: Collection[str], columns: list[str]) -> Iterator[Row]:
    """The rows of these ids (of edges: of the later), from their shards."""
    for table in rows.rows_of(run, stage, ids, columns):
        yield from table.to_pylist()


def rows_with(
    run: Run, stage: str, column: str, values: Collection[str], columns: list[str]
) -> Iterator[Row]:
    """The rows that have one of these values in `column`, of all."""
    wanted = pa.array(sorted(values), pa.string())
    if len(wanted):
        for batch in run.batches(stage, columns):
            yield from batch.filter(pc.is_in(batch.column(column), wanted)).to_pylist()
