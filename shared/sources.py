"""Files that people have -> event values (docs/semantics.md, "Record and event"), a batch at a time.

A SOURCE is a folder of pictures, a JSONL file, or Parquet (a file, or a folder of .parquet files).
Nothing is dropped here: a line that is broken, or a row without an id, goes on as it is and becomes
a dead letter or an item with an error status, with its reason, where everybody can count it.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import SourceError
from shared.source_events import ColumnOptions, event_value, event_values, json_object, line_values

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_BATCH = 2000
_PICTURES = 200  # a batch: their bytes are read, so that progress can be seen


@dataclass(frozen=True)
class Source:
    """batches: event values (pa.BinaryArray) in order, read once. total: how many there will be, or None
    where only reading tells. skipped: files of a folder that are no pictures by their suffix.
    """

    batches: Iterator[pa.Array]
    total: int | None
    skipped: int


def open_source(path: Path, columns: ColumnOptions) -> Source:
    """What stands at `path`, by its kind. SourceError: not there, empty, or of no kind known."""
    if path.is_dir():
        parts = sorted(path.glob("*.parquet"))
        if not parts and columns.payload:
            raise SourceError(f"{path} is a folder of pictures, which has no column {columns.payload[1]!r}")
        return _parquet(parts, columns) if parts else _folder(path, columns)
    if not path.exists():
        raise SourceError(f"{path} does not exist; give a folder of pictures, a .jsonl or a .parquet file")
    if columns.fixed_event_time is not None and not columns.payload:
        raise SourceError(f"{path} holds complete events, whose times are their own; give no other time")
    if path.suffix in (".parquet", ".pq"):
        return _parquet([path], columns)
    if path.suffix in (".jsonl", ".ndjson", ".json"):
        return Source(_jsonl_batches(path, columns), None, 0)
    raise SourceError(
        f"{path} is neither a folder nor a .jsonl, .ndjson, .json (one object a line) or .parquet file"
    )


def picture_names(root: Path) -> tuple[list[str], int]:
    """(names, skipped): files at any depth of a folder by their paths in it, in the order of their bytes, and
    the number of those that are no pictures by their suffix. SourceError where a folder cannot be listed.
    """
    names, skipped = [], 0
    for folder, _, files in os.walk(root, onerror=_refuse):
        for name in files:
            file = Path(folder, name)
            if file.suffix.lower() in IMAGE_SUFFIXES:
                names.append(file.relative_to(root).as_posix())
            else:
                skipped += 1
    return sorted(names, key=os.fsencode), skipped


def _folder(root: Path, columns: ColumnOptions) -> Source:
    """Pictures under `root`: id = relative path, time = the file's or columns.fixed_event_time."""
    names, skipped = picture_names(root)
    if not names:
        raise SourceError(f"{root} holds no picture ({', '.join(IMAGE_SUFFIXES)}), nor .parquet files")
    return Source(_folder_batches(root.resolve(), names, columns.fixed_event_time), len(names), skipped)


def _refuse(error: OSError) -> None:
    raise SourceError(f"cannot list {error.filename}: {error.strerror}; make it readable") from error


def _folder_batches(root: Path, names: list[str], fixed_time: int | None) -> Iterator[pa.Array]:
    for start in range(0, len(names), _PICTURES):
        values = [_picture(root, name, fixed_time) for name in names[start : start + _PICTURES]]
        yield pa.array(values, pa.binary())


def _picture(root: Path, name: str, fixed_time: int | None) -> bytes:
    file = root / name
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            changed = os.fstat(opened.fileno()).st_mtime_ns // 1_000_000
    except OSError as error:
        raise SourceError(
            f"cannot read {file}: {error.strerror}; mend or remove it, and publish again"
        ) from error
    payload = {"uri": str(file), "sha256": digest}
    return event_value(name, "upsert", changed if fixed_time is None else fixed_time, payload)


def _jsonl_batches(path: Path, columns: ColumnOptions) -> Iterator[pa.Array]:
    try:
        with path.open("rb") as file:
            bare = (line.rstrip(b"\r\n") for line in file)
            lines = (line for line in bare if line.strip())  # a blank line is no record
            first = list(islice(lines, _BATCH))
            _check_lines(path, first, columns)
            yield line_values(first, columns, path)
            while batch := list(islice(lines, _BATCH)):
                yield line_values(batch, columns, path)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error


def _check_lines(path: Path, first: list[bytes], columns: ColumnOptions) -> None:
    """SourceError for what makes every line wrong; single broken lines are passed on."""
    if not first:
        raise SourceError(f"{path} is empty")
    if first[0].lstrip().startswith(b"["):
        raise SourceError(f"{path} starts with an array; it must hold one JSON object a line")
    rows = [row for row in map(json_object, first) if row is not None]
    for name in columns.named() if columns.payload else ():
        if rows and not any(name in row for row in rows):
            raise SourceError(f"none of the first {len(first):,} lines of {path} has a member {name!r}")


def _parquet(paths: list[Path], columns: ColumnOptions) -> Source:
    files = []
    for path in paths:
        try:
            files.append(pq.ParquetFile(path))
        except (OSError, pa.ArrowInvalid) as error:
            raise SourceError(f"{path} is not a readable Parquet file: {error}") from error
    total = sum(file.metadata.num_rows for file in files)
    if not total:
        raise SourceError(f"{paths[0] if len(paths) == 1 else paths[0].parent} has no rows")
    return Source(_parquet_batches(paths, files, columns), total, 0)


def _parquet_batches(
    paths: list[Path], files: list[pq.ParquetFile], columns: ColumnOptions
) -> Iterator[pa.Array]:
    for path, file in zip(paths, files, strict=True):
        present = [name for name in columns.named() if name in file.schema_arrow.names]
        try:
            for batch in file.iter_batches(_BATCH, columns=present):
                yield event_values(pa.Table.from_batches([batch]), columns, path)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path} is damaged: {error}") from error
