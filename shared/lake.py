"""A lake: a log's records in Parquet, up to a fence.

    LAKE/partition=N/<base>-<end>.parquet    records base <= offset < end as RECORD_SCHEMA, never changed
    LAKE/lake.json                           format, topic, fence and the files; written last

A reader sees the files that lake.json names and no other: what a crash left beside them does not count.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.durable import write_json, write_whole
from shared.errors import SourceError
from shared.fence import LAKE_MANIFEST, Fence
from shared.records import RECORD_SCHEMA
from shared.shape import INNER_PATH, OBJECT, TEXT, WHOLE, Shape, read_json, require, shown

FORMAT = 1
AGAIN = "the lake is damaged; archive the topic into a new folder"
_FILE = {"path": INNER_PATH, "partition": WHOLE, "base": WHOLE, "end": WHOLE, "rows": WHOLE, "bytes": WHOLE}
_SHAPE: Shape = {"topic": TEXT, "fence": OBJECT, "files": [_FILE]}
ROW_GROUP = 50_000


@dataclass(frozen=True)
class LakeFile:
    """`path` is relative to the lake; `rows` and `bytes` are the file's."""

    path: str
    partition: int
    base: int
    end: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Lake:
    """`topic` is the address that was archived; which log it is, the fence's ids tell."""

    topic: str
    fence: Fence
    files: tuple[LakeFile, ...]


def require_lake(folder: Path) -> Lake:
    """SourceError where there is none."""
    lake = read_lake(folder)
    if lake is None:
        raise SourceError(
            f"{folder} is no lake: it has no {LAKE_MANIFEST}; name a folder that crossfade archive wrote"
        )
    return lake


def records_at(path: Path, offsets: list[int]) -> pa.Table:
    """RECORD_SCHEMA: those of one file with these offsets. SourceError where it cannot be read."""
    try:
        table = pq.read_table(path, filters=pc.field("offset").isin(offsets), partitioning=None)
        return table.cast(RECORD_SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SourceError(f"{path}, which the lake names, cannot be read ({error}); {AGAIN}") from error


def read_lake(folder: Path) -> Lake | None:
    """None where there is no lake.json. SourceError when it is damaged or of another format."""
    file = folder / LAKE_MANIFEST
    try:
        data = read_json(file)
    except FileNotFoundError:
        return None
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise SourceError(f"{file} has format {shown(found)}; this version reads {FORMAT}.")
    require(data, _SHAPE, str(file), AGAIN)
    fence = Fence.from_json(data["fence"], f"the fence in {file}", AGAIN)
    files = tuple(LakeFile(**{name: entry[name] for name in _FILE}) for entry in data["files"])
    ends = fence.positions()
    for entry in files:
        if not entry.base <= entry.end <= ends.get(entry.partition, -1):
            raise SourceError(
                f"{file}: {shown(entry.path)} cannot hold the offsets {entry.base} to {entry.end - 1} of "
                f"partition {entry.partition} in a lake up to {fence.describe()}; {AGAIN}"
            )
    return Lake(data["topic"], fence, files)


def write_lake(folder: Path, lake: Lake) -> None:
    """Make exactly these files the lake, at once."""
    files = [asdict(file) for file in lake.files]
    data = {"format": FORMAT, "topic": lake.topic, "fence": lake.fence.to_json(), "files": files}
    write_json(folder / LAKE_MANIFEST, data)


def write_lake_file(folder: Path, partition: int, base: int, end: int, records: pa.Table) -> LakeFile:
    """Write one partition's records (RECORD_SCHEMA, base <= offset < end); not yet part of the lake."""
    path = folder / f"partition={partition}" / f"{base:020d}-{end:020d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(
        path,
        lambda file: pq.write_table(records, file, compression="zstd", row_group_size=ROW_GROUP),
    )
    name = path.relative_to(folder).as_posix()
    return LakeFile(name, partition, base, end, records.num_rows, path.stat().st_size)


def remove_strangers(folder: Path, lake: Lake | None) -> None:
    """Remove Parquet files that the lake does not name: a crash left them."""
    named = {file.path for file in lake.files} if lake else set()
    for path in folder.glob("partition=*/*"):
        if path.relative_to(folder).as_posix() not in named:
            path.unlink()


def lake_tables(folder: Path, lake: Lake) -> Iterator[pa.Table]:
    """The records row group by row group, as RECORD_SCHEMA. SourceError when a file is gone or damaged."""
    for file in lake.files:
        yield from file_tables(folder, file)


def file_tables(folder: Path, file: LakeFile) -> Iterator[pa.Table]:
    """Those of one file."""
    try:
        with pq.ParquetFile(folder / file.path) as opened:
            for group in range(opened.num_row_groups):
                yield opened.read_row_group(group).select(RECORD_SCHEMA.names).cast(RECORD_SCHEMA)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise SourceError(f"{folder / file.path}, which the lake names, cannot be read: {error}.") from None
