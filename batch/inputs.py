"""What a backfill reads: a lake up to its fence, or files. Cut into splits that tasks read on their own."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import SourceError
from shared.fence import LAKE_MANIFEST
from shared.lake import Lake, read_lake
from shared.records import RECORD_SCHEMA
from shared.source_events import ColumnOptions
from shared.sources import open_source

_BATCH_ROWS = 2_000


@dataclass(frozen=True)
class Split:
    """What one task reads at a time: a file (its number among all), of a lake only one row group."""

    file: str
    number: int
    group: int = 0


class Input(Protocol):
    """identity: equal where the same records would be read again."""

    @property
    def identity(self) -> str: ...

    @property
    def splits(self) -> Sequence[Split]: ...

    def records(self, split: Split) -> Iterator[pa.Table]:
        """RECORD_SCHEMA, in tables of bounded size. Called in Spark's workers."""
        ...

    def manifest(self) -> dict[str, Any]:
        """The `input` part of the run's manifest."""
        ...


@dataclass(frozen=True)
class LakeInput:
    """A lake: the records in the files that lake.json names, which end at its fence."""

    path: Path
    lake: Lake

    @property
    def identity(self) -> str:
        return _identity([self.lake.fence.to_json(), [asdict(file) for file in self.lake.files]])

    @property
    def splits(self) -> Sequence[Split]:
        return [
            Split(file.path, number, group)
            for number, file in enumerate(self.lake.files)
            for group in range(self._row_groups(file.path))
        ]

    def records(self, split: Split) -> Iterator[pa.Table]:
        try:
            with self._open(split.file) as opened:
                for batch in opened.iter_batches(_BATCH_ROWS, row_groups=[split.group]):
                    yield pa.table(batch).select(RECORD_SCHEMA.names).cast(RECORD_SCHEMA)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(split.file, error) from None

    def _row_groups(self, file: str) -> int:
        with self._open(file) as opened:
            groups: int = opened.num_row_groups
            return groups

    def _open(self, file: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path / file)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(file, error) from None

    def _unreadable(self, file: str, error: Exception) -> SourceError:
        return SourceError(f"{self.path / file}, which the lake names, cannot be read: {error}")

    def manifest(self) -> dict[str, Any]:
        return {"fence": self.lake.fence.to_json(), "lake": str(self.path)}


@dataclass(frozen=True)
class FilesInput:
    """Files without offsets: partition = the file's number, offset = the row's, no append time."""

    paths: tuple[Path, ...]
    columns: ColumnOptions

    @property
    def identity(self) -> str:
        listed = [
            file for path in self.paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
        ]
        stats = [(str(file), file.stat()) for file in listed]
        files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return _identity([files, asdict(self.columns)])

    @property
    def splits(self) -> Sequence[Split]:
        return [Split(str(path), number) for number, path in enumerate(self.paths)]

    def records(self, split: Split) -> Iterator[pa.Table]:
        offset = 0
        for values in open_source(Path(split.file), self.columns).batches:
            n = len(values)
            columns = [
                pa.array(np.full(n, split.number, np.int32)),
                pa.array(np.arange(offset, offset + n)),
                pa.array(np.full(n, -1)),
                pa.nulls(n, pa.binary()),
                values,
            ]
            yield pa.table(columns, schema=RECORD_SCHEMA)
            offset += n

    def manifest(self) -> dict[str, Any]:
        return {"files": [str(path) for path in self.paths]}


def open_input(paths: Sequence[Path], columns: ColumnOptions) -> LakeInput | FilesInput:
    """One lake, or files and folders as `publish` takes them. SourceError: missing, damaged or mixed."""
    lakes = [path for path in paths if (path / LAKE_MANIFEST).exists()]
    if lakes:
        lake = read_lake(lakes[0])
        if len(paths) > 1 or lake is None:
            raise SourceError(
                f"{lakes[0]} is a lake; --input takes one lake, or files, not both nor two lakes."
            )
        if columns != ColumnOptions():
            raise SourceError(
                f"{lakes[0]} is a lake, whose records are events already; leave the column options out."
            )
        _check_files(lakes[0], lake)
        return LakeInput(lakes[0].resolve(), lake)
    expanded: list[Path] = []
    for path in paths:
        open_source(path, columns)  # whatever makes all of it wrong is said before Spark starts
        parts = sorted(path.glob("*.parquet")) if path.is_dir() else []
        expanded += [part for part in parts if pq.read_metadata(part).num_rows] if parts else [path]
    return FilesInput(tuple(path.resolve() for path in expanded), columns)


def _check_files(folder: Path, lake: Lake) -> None:
    for file in lake.files:
        path = folder / file.path
        found = path.stat().st_size if path.is_file() else None
        if found != file.bytes:
            what = "is not there" if found is None else f"has {found} bytes and not {file.bytes}"
            raise SourceError(f"{path}, which the lake names, {what}; archive the topic again.")


def _identity(parts: Any) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
