"""Sorted rows in batches of any size -> tables that never split a group of equal keys."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def whole_groups(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.Table]:
    """Tables of whole groups; a group's rows are those with equal `keys` (never null), all adjacent.

    Holds one batch and the group that is open at its end.
    """
    open_group: list[pa.Table] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        table = pa.table(batch)
        start = _last_group(table, keys)
        if open_group and (start > 0 or not _same(open_group[-1], table, keys)):
            yield pa.concat_tables([*open_group, table.slice(0, start)])
            open_group = []
        elif start > 0:
            yield table.slice(0, start)
        open_group.append(table.slice(start))
    if open_group:
        yield pa.concat_tables(open_group)


def group_starts(*keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64[groups + 1]: where sorted keys (integers[n] each) take a new value, and n."""
    n = len(keys[0])
    new = np.zeros(n, bool)
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    new[:1] = True
    return np.append(np.flatnonzero(new), n).astype(np.int64)


def _last_group(table: pa.Table, keys: Sequence[str]) -> int:
    """The row at which the group of the last row begins."""
    same = pa.array(np.ones(table.num_rows, bool))
    for key in keys:
        column = table.column(key)
        same = pc.and_(same, pc.equal(column, column[-1]))
    rows: int = table.num_rows - pc.sum(same).as_py()
    return rows


def _same(a: pa.Table, b: pa.Table, keys: Sequence[str]) -> bool:
    return all(a.column(key)[-1] == b.column(key)[0] for key in keys)
