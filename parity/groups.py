"""Clusters of two runs that share ids and do not agree, in connected groups."""

from collections.abc import Iterator
from dataclasses import dataclass

from parity.contingency import Contingency

# split: one cluster of A is several of B. merge: several of A are one of B. move: several on both sides.
# members: one on each side, unequal only in ids that the other side does not have; the head may differ too.
# head: the same members with another head. missing, extra: a cluster with no member in B, in A.
KINDS = ("split", "merge", "move", "members", "head", "missing", "extra")


@dataclass(frozen=True)
class Group:
    """Clusters connected by ids that both sides have, by head. moved: these ids, if they have other mates.

    size: ids on either side.
    """

    kind: str
    heads_a: tuple[str, ...]
    heads_b: tuple[str, ...]
    moved: int
    size: int


def groups(found: Contingency) -> list[Group]:
    """All of them, first what moves most ids, then the largest."""
    made = [_group(found, heads_a, heads_b) for heads_a, heads_b in _connected(found)]
    kept = [group for group in made if group]
    return sorted(kept, key=lambda group: (-group.moved, -group.size, group.heads_a, group.heads_b))


def _connected(found: Contingency) -> Iterator[tuple[list[str], list[str]]]:
    """(heads in A, heads in B) of clusters that are connected by common ids, each sorted."""
    of_a: dict[str, list[str]] = {head: [] for head in found.sizes_a}
    of_b: dict[str, list[str]] = {head: [] for head in found.sizes_b}
    for head_a, head_b in found.cells:
        of_a[head_a].append(head_b)
        of_b[head_b].append(head_a)
    while of_a:
        head, queue = of_a.popitem()
        heads_a, heads_b = [head], []
        while queue:
            head_b = queue.pop()
            if head_b in of_b:
                heads_b.append(head_b)
                for head_a in of_b.pop(head_b):
                    if head_a in of_a:
                        heads_a.append(head_a)
                        queue += of_a.pop(head_a)
        yield sorted(heads_a), sorted(heads_b)
    for head in of_b:
        yield [], [head]


def _group(found: Contingency, heads_a: list[str], heads_b: list[str]) -> Group | None:
    """None where both sides agree."""
    size_a = sum(found.sizes_a[head] for head in heads_a)
    size_b = sum(found.sizes_b[head] for head in heads_b)
    common = sum(found.common_a[head] for head in heads_a)
    same = len(heads_a) == len(heads_b) == 1 and size_a == size_b == common
    if same and heads_a == heads_b:
        return None
    kind = "head" if same else _kind(len(heads_a), len(heads_b))
    return Group(kind, tuple(heads_a), tuple(heads_b), 0 if same else common, size_a + size_b - common)


def _kind(clusters_a: int, clusters_b: int) -> str:
    if not (clusters_a and clusters_b):
        return "missing" if clusters_a else "extra"
    if clusters_a == clusters_b == 1:
        return "members"
    return "split" if clusters_a == 1 else "merge" if clusters_b == 1 else "move"
