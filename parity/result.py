"""What a diff found, as one frozen object. The terminal, JSON and HTML renderings come from it alone."""

from dataclasses import dataclass
from typing import Any

from parity.coverage import Coverage
from parity.fields import FieldDifference
from parity.regrouping import ClusterComparison

# Where a difference can begin, in the order in which results follow from each other.
CAUSES = ("event", "features", "signature", "bucket", "candidate", "match", "cluster")
# missing: in A only; extra: in B only; wrong: in both, not equal. known: a registered difference.
# late: of an id whose winning event lies past the other run's fence.
CLASSES = ("missing", "extra", "wrong", "late", "known")


@dataclass(frozen=True)
class Side:
    """One of the two runs. stands_at: its fence or event set."""

    path: str
    engine: str
    versions: tuple[tuple[str, str], ...]
    stands_at: str


@dataclass(frozen=True)
class StageCount:
    """One table of the runs. Rows of shards with equal digests were not read: they are equal."""

    stage: str
    rows_a: int
    rows_b: int
    shards_differ: int
    rows_differ: int


@dataclass(frozen=True)
class Difference:
    """Where an id first diverged. `earlier` names an edge's other end.

    kind: one of CLASSES. explains: rows of later stages that differ only because of this one, as far as
    connected ids tell. rule: of a known difference, the registered one that it is.
    """

    cause: str
    kind: str
    id: str
    earlier: str | None
    fields: tuple[FieldDifference, ...]
    explains: int
    rule: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """One, or of an edge both."""
        return (self.id,) if self.earlier is None else (self.id, self.earlier)


@dataclass(frozen=True)
class CauseCount:
    """How many differences begin at one stage, by class, and how many later rows they explain."""

    cause: str
    missing: int
    extra: int
    wrong: int
    late: int
    known: int
    explains: int

    @property
    def total(self) -> int:
        return self.missing + self.extra + self.wrong + self.late + self.known


@dataclass(frozen=True)
class KnownUse:
    """A registered difference and what became of it. state: ok, unused, expired or over its cap."""

    name: str
    owner: str
    reason: str
    expires: str
    cap: int
    found: int
    state: str

    @property
    def passed(self) -> bool:
        return self.state in ("ok", "unused")


@dataclass(frozen=True)
class Gate:
    """How many differences of a class may be there (limit None: any number), and how many are."""

    kind: str
    limit: int | None
    found: int

    @property
    def passed(self) -> bool:
        return self.limit is None or self.found <= self.limit


@dataclass(frozen=True)
class Result:
    """aligned_by: {"fence": …}, {"fences": [A's, B's]} or {"event_set": …}.

    dead_letters: the reasons whose counts differ. differences: the first of them, by cause, then what
    explains most, then id; `causes` counts all, dead letters too (as differences of the event).
    clusters: None where no cluster row differs. coverage: of each run, where a lake was asked; why_no_lake
    says why none was, where the manifests name one. held, differing: of how many of the ids that differ the
    rows were held against their own run; 0 where it was not verified.
    """

    a: Side
    b: Side
    contract_id: str
    aligned_by: dict[str, Any]
    verified: bool
    held: int
    differing: int
    stages: tuple[StageCount, ...]
    causes: tuple[CauseCount, ...]
    dead_letters: tuple[FieldDifference, ...]
    differences: tuple[Difference, ...]
    gates: tuple[Gate, ...]
    known: tuple[KnownUse, ...] = ()
    clusters: ClusterComparison | None = None
    coverage: tuple[Coverage, ...] = ()
    why_no_lake: str = ""

    @property
    def total(self) -> int:
        return sum(count.total for count in self.causes)

    @property
    def uncovered(self) -> int:
        """Ids, of both runs, that are not what the lake says, and dead letter reasons."""
        return sum(coverage.total for coverage in self.coverage)

    @property
    def parity(self) -> bool:
        return self.total == 0 and self.uncovered == 0

    @property
    def passed(self) -> bool:
        """Parity, or differences that the gates and the registry of known differences allow."""
        return all(gate.passed for gate in self.gates) and all(use.passed for use in self.known)

    @property
    def verdict(self) -> str:
        return "parity" if self.parity and self.passed else "within gates" if self.passed else "differences"
