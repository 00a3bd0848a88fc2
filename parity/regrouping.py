"""Two runs' clusters compared without regard to labels: what was split, merged or moved, pairs in common."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice

from parity.bridges import Bridge, bridges
from parity.contingency import Contingency, contingency
from parity.groups import KINDS, Group, groups
from parity.rows import Change
from shared.run import Run

LISTED = 100  # regroupings; all are counted
CLUSTERS, IDS, BRIDGES = 10, 5, 5  # listed of one regrouping: clusters a side, ids, bridges a side


@dataclass(frozen=True)
class Regrouping:
    """Clusters that share ids across the sides, directly or through each other, and do not agree.

    kind: one of KINDS. clusters: (head, size), the largest of `count`. moved: the ids on both sides whose
    cluster mates are not the same. ids: the first that have another head, or are on one side only.
    """

    kind: str
    count_a: int
    count_b: int
    clusters_a: tuple[tuple[str, int], ...]
    clusters_b: tuple[tuple[str, int], ...]
    moved: int
    ids: tuple[str, ...]
    bridges: tuple[Bridge, ...]


@dataclass(frozen=True)
class ClusterComparison:
    """A is the reference. counts: regroupings by kind. regroupings: the first by ids moved, then by size.

    pairs: unordered pairs of ids in one cluster: of A, of B, of both. items_common: the ids on both sides;
    within: the pairs of A, of B, that consist of them.
    """

    counts: tuple[tuple[str, int], ...]
    moved: int
    items_common: int
    pairs_a: int
    pairs_b: int
    pairs_common: int
    within_a: int
    within_b: int
    regroupings: tuple[Regrouping, ...]

    @property
    def precision(self) -> float | None:
        """None where B has no pairs."""
        return self.pairs_common / self.pairs_b if self.pairs_b else None

    @property
    def recall(self) -> float | None:
        """None where A has no pairs."""
        return self.pairs_common / self.pairs_a if self.pairs_a else None

    @property
    def f1(self) -> float | None:
        both = self.pairs_a + self.pairs_b
        return 2 * self.pairs_common / both if both else None

    @property
    def adjusted_rand(self) -> float | None:
        """Over the ids on both sides; None where there are not two of them."""
        if self.items_common < 2:
            return None
        by_chance = Fraction(self.within_a * self.within_b, _pairs([self.items_common]))
        most = Fraction(self.within_a + self.within_b, 2)
        if most == by_chance:
            return 1.0  # all ids together, or all apart, on both sides
        return float((self.pairs_common - by_chance) / (most - by_chance))


def compare_clusters(
    a: Run, b: Run, changed_ids: Collection[str], edges: Sequence[Change], listed: int = LISTED
) -> ClusterComparison:
    """For runs whose clusters differ. changed_ids: all whose cluster rows do; edges: all that do.

    Reads the ids and heads of either run once. Memory: a batch, what differs, and for each row of A's
    clusters a few 8-byte words. Raises SourceError where a table cannot be read.
    """
    only_a, only_b = ([edge.key for edge in edges if edge.kind == kind] for kind in ("missing", "extra"))
    # Of an edge's ends the clusters must be known, also where these do not differ.
    found = contingency(a, b, {*changed_ids, *chain(*only_a), *chain(*only_b)})
    every = groups(found)
    counts = Counter(group.kind for group in every)
    joined_a = bridges("A", found.heads_a, found.heads_b, only_a, (head for head, _ in found.cells))
    joined_b = bridges("B", found.heads_b, found.heads_a, only_b, (head for _, head in found.cells))
    return ClusterComparison(
        counts=tuple((kind, counts[kind]) for kind in KINDS),
        moved=sum(group.moved for group in every),
        items_common=found.other_items + found.cells.total(),
        pairs_a=found.other_pairs + _pairs(found.sizes_a.values()),
        pairs_b=found.other_pairs + _pairs(found.sizes_b.values()),
        pairs_common=found.other_pairs + _pairs(found.cells.values()),
        within_a=found.other_pairs + _pairs(found.common_a.values()),
        within_b=found.other_pairs + _pairs(found.common_b.values()),
        regroupings=tuple(_regroupings(found, every[:listed], joined_a, joined_b)),
    )


def _regroupings(
    found: Contingency,
    listed: Sequence[Group],
    joined_a: Mapping[str, Sequence[Bridge]],
    joined_b: Mapping[str, Sequence[Bridge]],
) -> Iterator[Regrouping]:
    """joined: head -> bridges of its cluster."""
    for group, ids in zip(listed, _ids(found, listed), strict=True):
        yield Regrouping(
            kind=group.kind,
            count_a=len(group.heads_a),
            count_b=len(group.heads_b),
            clusters_a=_largest(found.sizes_a, group.heads_a),
            clusters_b=_largest(found.sizes_b, group.heads_b),
            moved=group.moved,
            ids=ids,
            bridges=_first(joined_a, group.heads_a) + _first(joined_b, group.heads_b),
        )


def _ids(found: Contingency, listed: Sequence[Group]) -> list[tuple[str, ...]]:
    """Of each group the first ids whose heads differ."""
    place_a: dict[str | None, int] = {h: place for place, group in enumerate(listed) for h in group.heads_a}
    place_b: dict[str | None, int] = {h: place for place, group in enumerate(listed) for h in group.heads_b}
    ids: list[list[str]] = [[] for _ in listed]
    for item in sorted(found.heads_a.keys() | found.heads_b.keys()):
        head_a, head_b = found.heads_a.get(item), found.heads_b.get(item)
        place = place_a.get(head_a, place_b.get(head_b))
        if head_a != head_b and place is not None and len(ids[place]) < IDS:
            ids[place].append(item)
    return [tuple(some) for some in ids]


def _largest(sizes: Mapping[str, int], heads: Iterable[str]) -> tuple[tuple[str, int], ...]:
    largest = sorted(heads, key=lambda head: (-sizes[head], head))[:CLUSTERS]
    return tuple((head, sizes[head]) for head in largest)


def _first(joined: Mapping[str, Sequence[Bridge]], heads: Iterable[str]) -> tuple[Bridge, ...]:
    return tuple(islice(chain.from_iterable(joined.get(head, ()) for head in heads), BRIDGES))


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)
