"""A file of labelled pairs: two ids a line, with commas, tabs or blanks between them, a header or none."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import SourceError


@dataclass(frozen=True)
class Pairs:
    """left[i] and right[i] are a pair. header: the first line, where it was taken for one."""

    left: list[str]
    right: list[str]
    header: str | None


def read_pairs(path: Path, known: pa.ChunkedArray) -> Pairs:
    """The pairs of a file. Raises SourceError, with the line, where it is malformed.

    The first of several lines is a header if neither of its values is a known id or comes again below.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the truth {path} cannot be read as UTF-8 text: {error}") from error
    left, right, header = [], [], None
    for line, fields in _rows(path, text):
        if len(fields) != 2 or not all(fields):
            raise SourceError(
                f"{path}, line {line}: expected two ids, found {len(fields)} fields: {fields[:4]!r}"
            )
        left.append(fields[0])
        right.append(fields[1])
    if len(left) > 1 and _is_header(left, right, known):
        header = f"{left.pop(0)}, {right.pop(0)}"
    if not left:
        raise SourceError(f"{path} holds no pairs; give one pair of ids a line")
    for a, b in zip(left, right, strict=True):
        if a == b:
            raise SourceError(f"{path} pairs {a!r} with itself; a pair needs two ids")
    return Pairs(left, right, header)


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of the lines that are not blank."""
    lines = text.split("\n")  # and at nothing else: an id may hold any other line's end
    first = next((line for line in lines if line.strip()), "")
    separator = next((s for s in "\t," if s in first), None)
    reader: Iterable[list[str]] = (
        csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        if separator
        else (line.split() for line in lines)
    )
    number = 0
    try:
        for number, fields in enumerate(reader, 1):
            if any(field.strip() for field in fields):
                yield number, [field.strip() for field in fields]
    except csv.Error as error:
        raise SourceError(f"{path}, line {number + 1}: {error}") from error


def _is_header(left: list[str], right: list[str], known: pa.ChunkedArray) -> bool:
    names = (left[0], right[0])
    if any(name in left[1:] or name in right[1:] for name in names):
        return False
    return not pc.any(pc.is_in(known, pa.array(names, pa.string()))).as_py()
