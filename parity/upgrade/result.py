"""What a new spec gains and loses, as one frozen object. Terminal and JSON renderings come from it alone."""

from dataclasses import dataclass
from typing import Any

from parity.fields import FieldDifference
from parity.regrouping import ClusterComparison
from parity.result import Difference, Gate, Side

# Whether a pair is true by a rule: what the features say. unknown: no tokens to judge by.
YES, NO, UNKNOWN = "yes", "no", "unknown"
# Why a run has not got a pair that is true by its own rule; `no sketch`: its signatures cannot be read.
WHYS = ("no bucket in common", "not drawn", "refused by the sketch", "no sketch")
BINS = 10  # of a histogram


@dataclass(frozen=True)
class ContractChange:
    """A field of the contract and its value on both sides; None where a side has none."""

    field: str
    a: Any
    b: Any


@dataclass(frozen=True)
class StatusChange:
    """Items with equal events that have status `a` in A and `b` in B."""

    a: str
    b: str
    items: int


@dataclass(frozen=True)
class Events:
    """Ids whose events are not equal; the first of them. An upgrade is judged over all others alone."""

    missing: int
    extra: int
    wrong: int
    first: tuple[Difference, ...]
    dead_letters: tuple[FieldDifference, ...]
    statuses: tuple[StatusChange, ...]

    @property
    def total(self) -> int:
        """Ids, and dead letter reasons whose counts differ."""
        return self.missing + self.extra + self.wrong + len(self.dead_letters)

    @property
    def dropped(self) -> int:
        """Items with equal events that have features in A, and in B another status and so none."""
        return sum(change.items for change in self.statuses if change.a == "ok")


@dataclass(frozen=True)
class Truth:
    """Of the judged pairs those that are true by the old rule as `old` says, by the new as `new` says.

    parted: how many of these are in one cluster of the run that has the pair, and not of the other.
    """

    old: str
    new: str
    pairs: int
    parted: int


@dataclass(frozen=True)
class Measure:
    """What the features of a pair give: Jaccard, (bits - distance) / bits, or inliers / 1. `by`: a Judge."""

    by: str
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Pair:
    """A pair that one run has. why: of edges, why the other run has not got it, where its own rule takes it.

    together_a, together_b: whether both ends are in one cluster of A, of B.
    """

    id: str
    earlier: str
    old: str
    new: str
    why: str
    together_a: bool
    together_b: bool
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class OneSided:
    """The pairs that one run has and the other has not.

    set_aside: those with an end whose event differs. sample: how many of the others were looked at; where
    it is not all of them, those with the smallest hashes. Everything below is counted in the sample.
    unequal: pairs with an end whose features differ between the runs; no truth is told of them.
    """

    pairs: int
    set_aside: int
    sample: int
    unequal: int
    truths: tuple[Truth, ...]
    whys: tuple[tuple[str, int], ...]
    listed: tuple[Pair, ...]

    @property
    def sampled(self) -> bool:
        return self.sample < self.pairs - self.set_aside

    def true(self, new: str) -> int:
        """How many are true by the new rule as `new` says."""
        return sum(truth.pairs for truth in self.truths if truth.new == new)

    def parted(self, new: str) -> int:
        """How many of these are in one cluster of the run that has them, and not of the other."""
        return sum(truth.parted for truth in self.truths if truth.new == new)

    def estimated(self, count: int) -> int:
        """A count of the sample, for all pairs: rounded up."""
        return -(-count * (self.pairs - self.set_aside) // self.sample) if self.sample else 0


@dataclass(frozen=True)
class Pairs:
    """What became of A's edges, or of its memberships (a member with its head).

    other_channel, other_numbers: of those kept, matched by another channel, by the same with other numbers.
    """

    what: str
    in_a: int
    in_b: int
    kept: int
    other_channel: int
    other_numbers: int
    gained: OneSided
    lost: OneSided


@dataclass(frozen=True)
class Judge:
    """Features that channels of the runs have in common, and what they say of the edges gained and lost.

    by: what the pairs are judged by ("" = nothing that is exact). rules_a, rules_b: of the channels that
    have these features. gained, lost: edges by exact similarity, in the BINS of `bins`.
    """

    name: str
    extractor: str
    by: str
    rules_a: tuple[str, ...]
    rules_b: tuple[str, ...]
    bins: tuple[str, ...]
    gained: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True)
class Cost:
    """What a run took; None where its manifest does not say."""

    what: str
    a: int | float | None
    b: int | float | None


@dataclass(frozen=True)
class Upgrade:
    """A is the run of the old spec, B that of the new one, over the same events.

    aligned_by: {"fence": …} or {"event_set": …}. clusters: None where every id has the same head.
    """

    a: Side
    b: Side
    contract_a: str
    contract_b: str
    contract: tuple[ContractChange, ...]
    aligned_by: dict[str, Any]
    verified: bool
    events: Events
    unequal_features: int
    judges: tuple[Judge, ...]
    edges: Pairs
    memberships: Pairs
    clusters: ClusterComparison | None
    costs: tuple[Cost, ...]
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    @property
    def verdict(self) -> str:
        """nothing lost: all that has to be nothing is nothing."""
        if not self.passed:
            return "over the gates"
        return "within gates" if any(g.found for g in self.gates if g.limit is not None) else "nothing lost"
