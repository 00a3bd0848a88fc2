"""What a diff found, as one frozen object. The terminal and JSON renderings come from it alone."""

from dataclasses import dataclass
from typing import Any

# Where a difference can begin, in the order in which results follow from each other.
CAUSES = ("event", "features", "signature", "match", "cluster")
KINDS = ("missing", "extra", "wrong")  # in A only; in B only; in both, not equal

Value = str | int | None


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    path: str
    engine: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StageCount:
    """One table of the runs. Rows of shards with equal digests were not read: they are equal."""

    stage: str
    rows_a: int
    rows_b: int
    shards_differ: int
    rows_differ: int


@dataclass(frozen=True)
class FieldDifference:
    """A field and its value on both sides; None where a side has no such row. Long values are summarised."""

    name: str
    a: Value
    b: Value
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Where an id first diverged. `earlier` names an edge's other end.

    explains: rows of later stages that differ only because of this one, as far as connected ids tell.
    """

    cause: str
    kind: str
    id: str
    earlier: str | None
    fields: tuple[FieldDifference, ...]
    explains: int


@dataclass(frozen=True)
class CauseCount:
    """How many differences begin at one stage, by class, and how many later rows they explain."""

    cause: str
    missing: int
    extra: int
    wrong: int
    explains: int

    @property
    def total(self) -> int:
        return self.missing + self.extra + self.wrong


@dataclass(frozen=True)
class Result:
    """aligned_by: {"fence": …} or {"event_set": …}. dead_letters: the reasons whose counts differ.

    differences: the first of them, by cause, then what explains most, then id; `causes` counts all,
    dead letters too (as differences of the event).
    """

    a: Side
    b: Side
    contract_id: str
    aligned_by: dict[str, Any]
    verified: bool
    stages: tuple[StageCount, ...]
    causes: tuple[CauseCount, ...]
    dead_letters: tuple[FieldDifference, ...]
    differences: tuple[Difference, ...]

    @property
    def total(self) -> int:
        return sum(count.total for count in self.causes)

    @property
    def parity(self) -> bool:
        return self.total == 0
