"""What joined clusters on one side: an edge, or an item, that the other side does not have."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Bridge:
    """An edge, or an item (no `earlier`), that only `side` has."""

    side: str
    id: str
    earlier: str | None


def bridges(
    side: str,
    own: Mapping[str, str],
    other: Mapping[str, str],
    edges: Iterable[tuple[str, ...]],
    parts: Iterable[str],
) -> dict[str, list[Bridge]]:
    """Head of a cluster of `side` -> the edges that joined it; where there are none, items that may have.

    own, other: id -> head on this side and on the other, at least of what differs and of the edges' ends.
    edges: (later, earlier), those that only `side` has. parts: a cluster's head once for each cluster of
    the other side that has ids of it.
    """
    joined = {head for head, count in Counter(parts).items() if count > 1}
    found: dict[str, list[Bridge]] = defaultdict(list)
    reached: dict[str, set[str]] = defaultdict(set)  # an item of this side alone -> heads of the other side
    for later, earlier in edges:
        head = own.get(later)
        if head not in joined or own.get(earlier) != head:
            continue
        if later in other and earlier in other:
            if other[later] != other[earlier]:
                found[head].append(Bridge(side, later, earlier))
        elif earlier in other:
            reached[later].add(other[earlier])
        elif later in other:
            reached[earlier].add(other[later])
    alone: dict[str, list[str]] = defaultdict(list)
    for item, head in own.items():
        if item not in other and head in joined and head not in found:
            alone[head].append(item)
    for head, items in alone.items():
        # First what has edges into most clusters; then the head, which can take members without edges.
        items.sort(key=lambda item: (-len(reached[item]), item != own[item], item))
        found[head] = [Bridge(side, item, None) for item in items]
    return found
