"""Which fields of a row differ, with values short enough to read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Value = str | int | None


@dataclass(frozen=True)
class FieldDifference:
    """A field and its value on both sides; None where a side has no such row. Long values are summarised."""

    name: str
    a: Value
    b: Value
    note: str = ""


_LONGEST = 64  # bytes shown in full, as hex

Row = Mapping[str, Any]


def differing_fields(
    stage: str, rows_a: Sequence[Row], rows_b: Sequence[Row], rules: Mapping[str, str]
) -> tuple[FieldDifference, ...]:
    """The fields that differ between the rows of one key. `rules`: match rule by channel."""
    if len(rows_a) > 1 or len(rows_b) > 1:
        return (FieldDifference("rows", len(rows_a), len(rows_b), "an id must have one row"),)
    a, b = (rows_a[0] if rows_a else None), (rows_b[0] if rows_b else None)
    row = a or b
    assert row is not None  # a key is here because a side has it
    if stage in ("signatures", "verification"):
        name = "signature" if stage == "signatures" else "record"
        left, right = (a[name] if a else None), (b[name] if b else None)
        rule = name if stage == "signatures" else rules.get(row["channel"], "")
        return (_feature(f"{row['channel']}.{name}", rule, left, right),)
    out = []
    for name in row:
        left, right = (a[name] if a else None), (b[name] if b else None)
        if left != right and name not in ("id", "earlier", "later"):
            out.append(FieldDifference(name, _value(left), _value(right)))
    return tuple(out)


def _feature(name: str, rule: str, a: bytes | None, b: bytes | None) -> FieldDifference:
    """A signature or verification record, by what it is made of."""
    if rule == "signature" and _whole(a, b, 4):
        return _signature(name, a, b)
    if rule == "jaccard" and _whole(a, b, 8):
        counts = [None if side is None else f"{len(side) // 8} tokens" for side in (a, b)]
        common = np.intersect1d(np.frombuffer(a or b"", "<u8"), np.frombuffer(b or b"", "<u8"))
        return FieldDifference(name, counts[0], counts[1], f"{len(common)} in common" if a and b else "")
    if rule == "hamming" and a is not None and b is not None and len(a) == len(b):
        bits = np.unpackbits(np.frombuffer(a, np.uint8) ^ np.frombuffer(b, np.uint8)).sum()
        return FieldDifference(name, _value(a), _value(b), f"{bits} of {8 * len(a)} bits differ")
    return FieldDifference(name, _value(a), _value(b))


def _signature(name: str, a: bytes | None, b: bytes | None) -> FieldDifference:
    if a is None or b is None or len(a) != len(b):
        counts = [None if side is None else f"{len(side) // 4} values" for side in (a, b)]
        return FieldDifference(name, counts[0], counts[1])
    left, right = np.frombuffer(a, "<u4"), np.frombuffer(b, "<u4")
    at = np.flatnonzero(left != right)
    note = f"{len(at)} of {len(left)} values differ, the first at {at[0]}"
    return FieldDifference(name, int(left[at[0]]), int(right[at[0]]), note)


def _whole(a: bytes | None, b: bytes | None, width: int) -> bool:
    return all(side is None or len(side) % width == 0 for side in (a, b))


def _value(value: Any) -> Value:
    if not isinstance(value, bytes):
        return value  # type: ignore[no-any-return]
    if len(value) <= _LONGEST:
        return value.hex()
    return f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}"
