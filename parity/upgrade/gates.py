"""What an upgrade may lose: by default nothing that is true by the new rule, nor what nobody can judge."""

from collections.abc import Mapping

from parity.gates import limit_of, require_kinds
from parity.result import Gate
from parity.upgrade.result import UNKNOWN, YES, Events, Pairs

# event: ids whose events are not equal. dropped: items that have features in A and none in B.
# features: ids, of the pairs looked at, with other features in B.
# lost: edges of A alone that are true by the new rule. unjudged: edges of A alone of which nobody knows, or
# whose events are not equal.
# parted: of `lost`, those whose ends are in one cluster of A and in two of B.
GATES = ("event", "dropped", "features", "lost", "unjudged", "parted")
# Whoever allows losses may say how many of them the clusters must make up for.
_UNLIMITED = ("parted",)


def judge_gates(
    limits: Mapping[str, int | str], items: int, events: Events, unequal_features: int, edges: Pairs
) -> tuple[Gate, ...]:
    """One gate a class. limits: a number, or a share of A's items or edges such as "0.01%".

    What was counted in a sample is put up to all pairs. Raises CrossfadeError where a class or limit is none.
    """
    require_kinds(limits, GATES)
    found = {
        "event": (events.total, items),
        "dropped": (events.dropped, items),
        "features": (unequal_features, items),
        "lost": (edges.lost.estimated(edges.lost.true(YES)), edges.in_a),
        "unjudged": (edges.lost.estimated(edges.lost.true(UNKNOWN)) + edges.lost.set_aside, edges.in_a),
        "parted": (edges.lost.estimated(edges.lost.parted(YES)), edges.in_a),
    }
    return tuple(Gate(kind, _limit(kind, limits, found[kind][1]), found[kind][0]) for kind in GATES)


def _limit(kind: str, limits: Mapping[str, int | str], of: int) -> int | None:
    if kind in limits:
        return limit_of(kind, limits[kind], of)
    return None if kind in _UNLIMITED else 0
