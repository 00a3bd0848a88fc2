"""From a log to a lake, up to a fence, in bounded memory.

Files are written first and lake.json after them, again and again, each time with the fence that the
files reach: so a crash repeats nothing that is in the lake, and loses nothing that is not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from shared.durable import locked
from shared.errors import SourceError, TransientError
from shared.fence import Fence
from shared.lake import Lake, LakeFile, read_lake, remove_strangers, write_lake, write_lake_file
from stream.logs.checks import STALL_SECONDS, check_reachable
from stream.logs.protocol import LogReader

FLUSH_ROWS = 500_000
FLUSH_BYTES = 128 << 20
_POLL_ROWS = 50_000


@dataclass(frozen=True)
class Archived:
    """What one run added; `fence` is where the lake stands now.

    `dropped`: offsets at the log's start that were gone before a new lake could have them.
    """

    records: int
    files: int
    bytes: int
    dropped: int
    fence: Fence


def archive(
    reader: LogReader,
    folder: Path,
    until: Fence | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Archived:
    """Bring the lake up to `until` (default: the log's end now). progress(offsets done, offsets in all).

    Raises SourceError: the lake or the fence is of another log, the lake is already past the fence, the
    log does not go that far, or records that the lake lacks are no longer in the log.
    """
    with locked(folder / ".lock", f"the lake {folder}", seconds=0):
        lake = read_lake(folder)
        remove_strangers(folder, lake)
        target = _target(reader, folder, lake, until)
        if lake is not None:
            reader.seek(lake.fence.positions())
        for partition, start in reader.positions().items():
            if start > target.get(partition, start):
                raise SourceError(
                    f"the topic {reader.identity.name} no longer holds the records before the fence: its "
                    f"partition {partition} starts at offset {start}, after {target[partition]}."
                )
        return _copy(reader, folder, lake, target, progress)


def _target(reader: LogReader, folder: Path, lake: Lake | None, until: Fence | None) -> dict[int, int]:
    identity = reader.identity
    for fence, what in ((lake.fence if lake else None, f"the lake {folder}"), (until, "the fence")):
        if fence is not None and (fence.cluster, fence.topic) != (identity.cluster, identity.topic_id):
            raise SourceError(
                f"{what} belongs to another log ({fence.describe()}) than the topic {identity.name} "
                f"({identity.topic_id} of cluster {identity.cluster}); take another folder or topic."
            )
    if until is None:
        return reader.end_offsets()
    target = until.positions()
    check_reachable(reader, target)
    for partition, offset in lake.fence.offsets if lake else ():
        if offset > target.get(partition, 0):
            raise SourceError(
                f"the lake {folder} is already past the fence (partition {partition}: {offset} against "
                f"{target.get(partition, 0)}); archive into another folder to stop there."
            )
    return target


def _copy(
    reader: LogReader,
    folder: Path,
    lake: Lake | None,
    target: dict[int, int],
    progress: Callable[[int, int], None],
) -> Archived:
    starts = {partition: reader.positions()[partition] for partition in target}
    bases = dict(starts)
    files: list[LakeFile] = list(lake.files) if lake else []
    before = len(files)
    held: list[pa.Table] = []
    total = sum(max(0, target[partition] - base) for partition, base in bases.items())
    reached, moved = dict(bases), time.monotonic()
    while True:
        left = {partition for partition, offset in target.items() if reached[partition] < offset}
        rows, size = sum(table.num_rows for table in held), sum(table.nbytes for table in held)
        if not left or rows >= FLUSH_ROWS or size >= FLUSH_BYTES:
            files += _flush(folder, pa.concat_tables(held) if held else None, bases, reached)
            held, bases = [], dict(reached)
            fence = reader.identity.fence(reached)
            if lake is None or lake.fence != fence:
                write_lake(folder, Lake(reader.identity.name, fence, tuple(files)))
        if not left:
            break
        table = reader.poll(_POLL_ROWS, 1.0, left)
        if table.num_rows:
            held.append(_below(table, target))
        positions = {partition: min(reader.positions()[partition], target[partition]) for partition in target}
        if positions != reached:
            reached, moved = positions, time.monotonic()
            progress(total - sum(target[p] - reached[p] for p in target), total)
        elif time.monotonic() - moved > STALL_SECONDS:
            raise TransientError(
                f"the topic {reader.identity.name} gave no records for {STALL_SECONDS:.0f} s; the lake "
                f"stands at {reader.identity.fence(bases).describe()}; run the archive again."
            )
    added = files[before:]
    dropped = sum(starts.values()) if lake is None else 0
    return Archived(sum(f.rows for f in added), len(added), sum(f.bytes for f in added), dropped, fence)


def _below(table: pa.Table, target: dict[int, int]) -> pa.Table:
    """The records before the target: the last poll may have read past it."""
    ends = np.array([target.get(partition, 0) for partition in range(max(target) + 1)])
    before = table["offset"].to_numpy() < ends[table["partition"].to_numpy()]
    return table if before.all() else table.filter(pa.array(before))


def _flush(
    folder: Path, records: pa.Table | None, bases: dict[int, int], ends: dict[int, int]
) -> list[LakeFile]:
    if records is None:
        return []
    partitions = records["partition"].to_numpy()
    written = []
    for partition, end in ends.items():
        mine = records.filter(pa.array(partitions == partition))
        if mine.num_rows:
            written.append(write_lake_file(folder, partition, bases[partition], end, mine))
    return written
