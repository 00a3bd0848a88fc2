"""Rows of a run for the page, in bounded memory: a batch, and what was asked for."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shared.run import Run

Row = dict[str, Any]


def rows_of(run: Run, stage: str, column: str, values: Collection[str], columns: list[str]) -> Iterator[Row]:
    """The rows that have one of these values in `column`."""
    wanted = pa.array(sorted(values), pa.string())
    if len(wanted):
        for batch in run.batches(stage, columns):
            yield from batch.filter(pc.is_in(batch.column(column), wanted)).to_pylist()
