"""JSON documents on disk: read, and held against the shape that they must have before anybody uses them.

A shape is a `Kind` of value, `Each` (an object with values of one shape under any keys), a list of one shape
(an array of such), or a mapping of keys to shapes: an object that has at least these, without a `?` at
the end of a key. What a shape does not name is not looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.errors import SourceError


@dataclass(frozen=True)
class Kind:
    """`name`: what a value must be, as a sentence says it."""

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Each:
    values: "Shape"


Shape = Kind | Each | list["Shape"] | Mapping[str, "Shape"]


def _is_path(value: Any) -> bool:
    """Whether a system would take it: the others raise where nobody expects an error."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    parts = value.encode().split(b"/")
    return len(value) < 4096 and max(map(len, parts)) <= 255


TEXT = Kind("a string", lambda value: isinstance(value, str))
WHOLE = Kind("a whole number, 0 or more", lambda value: type(value) is int and 0 <= value < 2**63)
INTEGER = Kind("a whole number", lambda value: type(value) is int and -(2**63) <= value < 2**63)
NUMBER = Kind("a number, 0 or more", lambda value: type(value) in (int, float) and value >= 0)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
ANY = Kind("anything", lambda value: True)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
PATH = Kind("a path", _is_path)
INNER_PATH = Kind(
    "a path inside the folder",
    lambda value: _is_path(value) and not value.startswith("/") and ".." not in value.split("/"),
)


def read_json(file: Path) -> Any:
    """The file's JSON. FileNotFoundError where there is none, SourceError where it is not to be had."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceError(
            f"{file} cannot be read ({error.strerror}); may you read it, and is it a file?"
        ) from None
    return parse_json(raw, str(file), "it is damaged, so have it written again")


def parse_json(raw: bytes, where: str, advice: str) -> Any:
    """SourceError, which names `where` and gives the advice, unless it is JSON."""
    try:
        data = orjson.loads(raw)
        orjson.dumps(data)  # refuses what is nested so deep that walking it would exhaust the stack
    except (ValueError, TypeError) as error:
        raise SourceError(f"{where} cannot be read as JSON ({error}); {advice}") from None
    return data


def require(data: Any, shape: Shape, where: str, advice: str) -> None:
    """SourceError, which names `where` and gives the advice, unless `data` has this shape."""
    if found := next(_wrong(data, shape, ""), ""):
        raise SourceError(f"{where}: {found}; {advice}")


def _wrong(value: Any, shape: Shape, at: str) -> Iterator[str]:
    if isinstance(shape, Kind):
        if not shape.holds(value):
            yield f"{at or 'it'} is {shown(value)} and must be {shape.name}"
    elif isinstance(shape, list):
        if isinstance(value, list):
            for place, entry in enumerate(value):
                yield from _wrong(entry, shape[0], f"{at}[{place}]")
        else:
            yield f"{at or 'it'} is {shown(value)} and must be a list"
    elif not isinstance(value, dict):
        yield f"{at or 'it'} is {shown(value)} and must be an object"
    elif isinstance(shape, Each):
        for key, entry in value.items():
            yield from _wrong(entry, shape.values, _below(at, key))
    else:
        for name, wanted in shape.items():
            key = name.removesuffix("?")
            if key in value:
                yield from _wrong(value[key], wanted, _below(at, key))
            elif key == name:
                yield f"{_below(at, key)} is missing"


def _below(at: str, key: str) -> str:
    name = key if key.isprintable() and len(key) <= 40 else shown(key)
    return f"{at}.{name}" if at else name


def shown(value: Any) -> str:
    """A JSON value, short and on one line, for a sentence."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return str(orjson.dumps(value), "ascii")
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 48 else f"{text[:47]}…"
