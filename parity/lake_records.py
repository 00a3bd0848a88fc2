"""The records of a lake up to a fence, in bounded memory, held against what lake.json says of each file.

Offsets may be absent: a transaction's marker takes one, and compaction or retention takes records away before
the archive comes. So a file has as many records as lake.json says, never as many as its span; and where
no file spans, there was no record.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.errors import SourceError
from shared.fence import LAKE_MANIFEST, Fence
from shared.lake import AGAIN, Lake, LakeFile
from shared.records import RECORD_SCHEMA

BATCH_ROWS = 2_000
_COLUMNS = pa.schema([field for field in RECORD_SCHEMA if field.name != "key"])


def files_below(lake: Lake, fence: Fence) -> list[LakeFile]:
    """The files that span an offset before the fence, by partition and offset."""
    ends = fence.positions()
    found = [file for file in lake.files if file.base < ends.get(file.partition, 0)]
    return sorted(found, key=lambda file: (file.partition, file.base))


def gaps_below(lake: Lake, fence: Fence) -> int:
    """How many offsets before the fence no file spans."""
    ends = fence.positions()
    spans = (min(file.end, ends[file.partition]) - file.base for file in files_below(lake, fence))
    return sum(ends.values()) - sum(spans)


def check_lake_files(folder: Path, lake: Lake, fence: Fence) -> None:
    """Each file before the fence exists with its size and rows, and no two overlap. Raises SourceError."""
    files = files_below(lake, fence)
    for before, after in pairwise(files):
        if before.partition == after.partition and before.end > after.base:
            raise SourceError(
                f"{folder / LAKE_MANIFEST}: {before.path} and {after.path} hold the same offsets; {AGAIN}"
            )
    for file in files:
        path = folder / file.path
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            what = "is not there" if size is None else f"has {size} bytes and not {file.bytes}"
            raise SourceError(f"{path}, which the lake names, {what}; {AGAIN}")
        with _open(path) as opened:
            rows = opened.metadata.num_rows
        if rows != file.rows:
            raise SourceError(f"{path} has {rows} records, by {LAKE_MANIFEST} {file.rows}; {AGAIN}")


def records_below(folder: Path, lake: Lake, fence: Fence) -> Iterator[tuple[pa.Table, int]]:
    """(records as RECORD_SCHEMA without keys, how many were read so far), a few thousand at a time.

    SourceError where a file cannot be read or a record is not in its place.
    """
    ends = fence.positions()
    done = 0
    for file in files_below(lake, fence):
        for table in _records(folder / file.path, file):
            done += table.num_rows
            end = ends[file.partition]
            below = table if file.end <= end else table.filter(pc.less(table.column("offset"), end))
            yield below, done


def _records(path: Path, file: LakeFile) -> Iterator[pa.Table]:
    last = file.base - 1
    with _open(path) as opened:
        try:
            for group in range(opened.num_row_groups):  # one at a time, or else Arrow keeps what it read
                for batch in opened.iter_batches(BATCH_ROWS, row_groups=[group], columns=_COLUMNS.names):
                    table = pa.table(batch).select(_COLUMNS.names).cast(_COLUMNS)
                    last = _check_places(path, file, table, last)
                    yield table
        except (OSError, KeyError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error


def _check_places(path: Path, file: LakeFile, records: pa.Table, last: int) -> int:
    """Offsets rise, from after `last`, within the file's span. Returns the greatest."""
    offsets = records.column("offset").to_numpy()
    if (records.column("partition").to_numpy() != file.partition).any():
        raise SourceError(f"{path} holds records of another partition than {file.partition}; {AGAIN}")
    if len(offsets) and (offsets.min() < file.base or offsets.max() >= file.end):
        outside = offsets[(offsets < file.base) | (offsets >= file.end)][0]
        raise SourceError(
            f"{path} holds offset {outside}, but by {LAKE_MANIFEST} {file.base} to {file.end - 1}; {AGAIN}"
        )
    steps = np.diff(offsets, prepend=last)
    if (steps <= 0).any():
        offset = offsets[np.argmax(steps <= 0)]
        raise SourceError(f"{path} holds offset {offset} twice, or after a later one; {AGAIN}")
    return int(offsets[-1]) if len(offsets) else last


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    what = " ".join(str(error).split())  # Arrow's may have several lines
    return SourceError(f"{path}, which the lake names, cannot be read ({what}); {AGAIN}")
