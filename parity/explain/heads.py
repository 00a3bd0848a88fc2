"""Which head an item should have: shared.heads.decide on one side's stored edges and heads, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.explain.gather import Gathered
from shared.heads import BECOMES_HEAD, decide, stronger
from shared.similarity import NO_MATCH
from shared.stored import Place, Strength


@dataclass(frozen=True)
class PossibleHead:
    """strength: of the match, None where there is none. checked: it was verified now, without an edge.

    through: the earlier items that the item matches and that have this head, in priority order.
    """

    head: str
    through: tuple[str, ...]
    strength: Strength | None
    checked: bool
    chosen: bool = False
    ties: bool = False  # as strong as the chosen one, and later


@dataclass(frozen=True)
class Decision:
    """possible: in priority order. decided: None of an item that is not indexed, or where it cannot be told.

    lacking: why something that the decision rests on is not there. members: of a component, how many.
    """

    possible: tuple[PossibleHead, ...]
    decided: Place | None
    stored: Place | None
    lacking: tuple[str, ...] = ()
    members: int = 0


def decision(g: Gathered, item: str) -> Decision:
    """What `decide` says of an item, from the edges and the heads of others as they are stored."""
    stored = g.places.get(item)
    if item not in g.keys:
        return Decision((), None, stored)
    if item in g.components:
        return _component(g, item, stored)
    through, lacking = _through(g, item)
    heads = sorted(through, key=g.keys.__getitem__)
    edges = g.edges.get(item, {})
    found = [edges.get(head) or g.matches.get((head, item)) for head in heads]
    chosen = _decide(g, found)
    best = found[chosen] if chosen != BECOMES_HEAD else None
    possible = tuple(
        PossibleHead(
            head,
            tuple(through[head]),
            strength,
            checked=head not in edges,
            chosen=row == chosen,
            ties=row != chosen and strength is not None and best is not None and _equal(g, strength, best),
        )
        for row, (head, strength) in enumerate(zip(heads, found, strict=True))
    )
    decided = Place(item, None) if best is None else Place(heads[chosen], best)
    return Decision(possible, decided, stored, tuple(lacking))


def _through(g: Gathered, item: str) -> tuple[dict[str, list[str]], list[str]]:
    """(possible head -> the earlier neighbours that have it, what is lacking)."""
    through: dict[str, list[str]] = {}
    lacking: list[str] = []
    for other in sorted(g.edges.get(item, {}), key=lambda name: g.keys.get(name, b"")):
        place = g.places.get(other)
        if place is None:
            lacking.append(f"{other}, which it matches, has no head")
        elif place.head not in g.keys:
            lacking.append(f"{place.head}, the head of {other}, is not in the index")
        elif g.keys[place.head] >= g.keys[item]:
            lacking.append(f"{place.head}, the head of {other}, is not earlier than it")
        else:
            through.setdefault(place.head, []).append(other)
    return through, lacking


def _decide(g: Gathered, found: list[Strength | None]) -> int:
    order = _orders(g)
    channel = np.array([NO_MATCH if s is None else order.get(s.channel, NO_MATCH) for s in found], np.int8)
    numerator = np.array([s.numerator if s else 0 for s in found], np.int64)
    denominator = np.array([s.denominator if s else 0 for s in found], np.int64)
    return int(decide(np.array([0, len(found)]), channel, numerator, denominator)[0])


def _orders(g: Gathered) -> Mapping[str, int]:
    return {channel.name: order for order, channel in enumerate(g.about.spec.channels)}


def _equal(g: Gathered, one: Strength, other: Strength) -> bool:
    order = _orders(g)
    a, b = ((order.get(s.channel, NO_MATCH), s.numerator, s.denominator) for s in (one, other))
    return not stronger(*a, *b) and not stronger(*b, *a)


def _component(g: Gathered, item: str, stored: Place | None) -> Decision:
    component = g.components[item]
    strangers = component.members - g.keys.keys()
    lacking = [f"{name}, which it is connected with, is not in the index" for name in strangers]
    if not component.whole:
        lacking.append(f"it is connected with more than {len(component.members)} items, not all followed")
    decided = component.place(item, g.keys, g.edges)
    return Decision((), decided, stored, tuple(sorted(lacking)), len(component.members))
