"""Settling: decide again the items whose neighbourhood changed, until nothing changes.

Rounds of `heads.decide`, as in the batch: all dirty items decide at once from the last round's
heads; when an item's head changes, its later neighbours are dirty. The fixpoint is the only one.
"""

from collections.abc import Sequence

import numpy as np

from shared.heads import BECOMES_HEAD, UNDECIDED, UNKNOWN, Int64s, decide
from shared.similarity import NO_MATCH
from stream.index import Index, Pair
from stream.state import NO_CHANNEL, Match, pack_matches, unpack_matches

Known = dict[Pair, Match | None]


def settle(index: Index, dirty: set[bytes]) -> set[bytes]:
    """Bring the clusters up to date after the edges of these items (priority keys) changed.

    Returns the items whose head or strength changed.
    """
    if index.spec.clusters.rule == "components":
        return _settle_components(index, dirty)
    known: Known = {}
    touched: set[bytes] = set()
    while dirty:
        items = sorted(dirty)
        before = clusters(index, items)
        now = _decide(index, items, known)
        dirty = set()
        for key, old, new in zip(items, before, now, strict=True):
            if old == new:
                continue
            put_cluster(index, key, new)
            touched.add(key)
            if old is None or old.other != new.other:
                dirty.update(index.later(key))
    return touched


def clusters(index: Index, keys: Sequence[bytes]) -> list[Match | None]:
    """Each item's head and strength as they stand; None where it has none yet."""
    values = index.state.get_many("clusters", index.item_keys(keys))
    return [unpack_matches(value)[0] if value else None for value in values]


def put_cluster(index: Index, key: bytes, match: Match | None) -> None:
    """`match.other` is the head: the item itself, without strength, for a head. None: not in the index."""
    index.state.put("clusters", index.item_keys([key])[0], pack_matches([match]) if match else None)


def _decide(index: Index, items: list[bytes], known: Known) -> list[Match]:
    """One round: the head of each item, given everybody's heads as they stand."""
    edges = index.edges(items)
    others = sorted({match.other for matches in edges for match in matches})
    head_of = {
        other: cluster.other if cluster else other  # new in this round: guess that it is a head
        for other, cluster in zip(others, clusters(index, others), strict=True)
    }
    possible = [sorted({head_of[match.other] for match in matches}) for matches in edges]
    for key, matches in zip(items, edges, strict=True):
        known.update({(key, match.other): match for match in matches})
    pairs = [(key, head) for key, heads in zip(items, possible, strict=True) for head in heads]
    starts = np.cumsum([0, *map(len, possible)])
    chosen = _choose(starts, pairs, known)
    if (chosen == UNDECIDED).any():
        undecided = np.repeat(chosen == UNDECIDED, np.diff(starts))
        known.update(index.match(pairs[i] for i in np.flatnonzero(undecided) if pairs[i] not in known))
        chosen = _choose(starts, pairs, known)
    joined = [known[pairs[row]] if row != BECOMES_HEAD else None for row in chosen.tolist()]
    return [match or Match(key, NO_CHANNEL, 0, 0) for key, match in zip(items, joined, strict=True)]


def _choose(starts: Int64s, pairs: list[Pair], known: Known) -> Int64s:
    channel = np.full(len(pairs), UNKNOWN, dtype=np.int8)
    numerator, denominator = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    for i, pair in enumerate(pairs):
        if pair in known:
            match = known[pair]
            channel[i] = NO_MATCH if match is None else match.channel
            if match is not None:
                numerator[i], denominator[i] = match.numerator, match.denominator
    return np.asarray(decide(starts, channel, numerator, denominator))


def _settle_components(index: Index, dirty: set[bytes]) -> set[bytes]:
    """Rule `components`: search every touched component again; its earliest member is the head."""
    touched: set[bytes] = set()
    seen: set[bytes] = set()
    for start in sorted(dirty):
        if start in seen:
            continue
        component, front = {start}, [start]
        while front:
            edges = index.edges(front)
            near = {match.other for matches in edges for match in matches}
            near.update(*(index.later(key) for key in front))
            front = list(near - component)
            component.update(front)
        seen |= component
        members, head = sorted(component), min(component)
        for key, old, matches in zip(members, clusters(index, members), index.edges(members), strict=True):
            direct = next((match for match in matches if match.other == head), None)
            new = direct or Match(head, NO_CHANNEL, 0, 0)
            if old != new:
                put_cluster(index, key, new)
                touched.add(key)
    return touched
