"""An explanation as one frozen object. The terminal and JSON renderings come from it alone."""

from dataclasses import dataclass

from parity.explain.faults import STAGES, Fault
from parity.explain.heads import Decision
from parity.explain.matching import Measured
from shared.spec import Spec
from shared.stored import Entry, Event, Strength, Trace

__all__ = ["STAGES", "Decision", "Explanation", "Fault", "ItemView", "Measured", "PairView", "SideView"]


@dataclass(frozen=True)
class ChannelView:
    """An item's features and signature in one channel; empty strings where it has none.

    content: what the record holds, in words. record, signature: the first 16 hex digits of their sha256.
    follows: whether the signature is what the record gives; None where the record does not tell.
    first_wrong: the first value that it does not give.
    """

    channel: str
    content: str
    record: str
    signature: str
    follows: bool | None
    first_wrong: int | None


@dataclass(frozen=True)
class Largest:
    """The largest of an item's buckets. rank: the item's; None where its posting is lost."""

    entry: Entry
    members: int
    rank: int | None


@dataclass(frozen=True)
class BucketsView:
    """held: what the engine itself had. expected: what the item's signatures give. shared: of its buckets
    those with other members."""

    held: Trace
    expected: Trace
    shared: int
    largest: Largest | None


@dataclass(frozen=True)
class DrawsView:
    """drew: by the engine itself. expected: by the draws of all its buckets. drawn: the first of whom it
    draws, in priority order; `expected` counts all."""

    drew: Trace
    expected: Trace
    drawn: tuple[str, ...]


@dataclass(frozen=True)
class EdgeView:
    """other: the earlier item, or of `later` the later one."""

    other: str
    strength: Strength


@dataclass(frozen=True)
class EdgesView:
    """stored: the first of an item's edges with earlier items, in priority order, of `count`. expected: how
    many verification of all that it draws gives. later: the first of `later_count` edges with later items, by
    id; of one id alone."""

    stored: tuple[EdgeView, ...]
    count: int
    expected: int
    later: tuple[EdgeView, ...]
    later_count: int


@dataclass(frozen=True)
class ItemView:
    """One id on one side. event: None where the side has no row of it. payload: its beginning, or its URI,
    where a lake has it. sketched: whether the lake's payload gives these features; "" where nobody looked,
    else "yes", "no", or why it is not known."""

    id: str
    event: Event | None
    payload: str
    sketched: str
    channels: tuple[ChannelView, ...]
    buckets: BucketsView
    draws: DrawsView
    edges: EdgesView
    decision: Decision


@dataclass(frozen=True)
class SharedBucket:
    """A bucket that holds both items. draws: "first", "near", or "left out"."""

    entry: Entry
    members: int
    rank_earlier: int
    rank_later: int
    draws: str


@dataclass(frozen=True)
class ShinglesView:
    """Some shingles of two texts in clear."""

    common: tuple[str, ...]
    earlier_only: tuple[str, ...]
    later_only: tuple[str, ...]


@dataclass(frozen=True)
class PairView:
    """Two indexed items on one side. drawn: in how many of `buckets` the later draws the earlier.

    verified: what verification gives, drawn or not. stored: the edge.
    """

    earlier: str
    later: str
    channels: tuple[Measured, ...]
    buckets: tuple[SharedBucket, ...]
    drawn: int
    verified: Strength | None
    stored: Strength | None
    shingles: ShinglesView | None


@dataclass(frozen=True)
class SideView:
    """name: A or B. lake: the lake that was looked into. faults: all, by stage; the first tells who is wrong.

    pair: None of one id, and where one of two is not in the index.
    """

    name: str
    path: str
    kind: str
    engine: str
    stands_at: str
    lake: str
    items: tuple[ItemView, ...]
    pair: PairView | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Parting:
    """The first stage at which what two sides store differs. more: why, as far as it can be told."""

    stage: str
    id: str
    text: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """notes: what limits it."""

    ids: tuple[str, ...]
    contract_id: str
    spec: Spec
    sides: tuple[SideView, ...]
    parting: Parting | None
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing parts and each side's rows follow from each other."""
        return self.parting is None and not any(side.faults for side in self.sides)
