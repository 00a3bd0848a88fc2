"""Does a cluster row follow from its own run's edges and heads? Where it does not, that row is a cause.

What `decide` says of an item given everybody's heads as the run has them: the engines end where that is so
of every item. A row that differs from the other run's and follows from its own differs for another's sake.
"""

from collections.abc import Collection, Sequence

import numpy as np

from parity.explain.components import components
from parity.explain.matching import match_pairs
from parity.explain.runs import RunSide
from shared.heads import BECOMES_HEAD, decide
from shared.run import Run
from shared.similarity import NO_MATCH
from shared.spec import Spec
from shared.stored import Place, Strength


def do_not_follow(run: Run, ids: Collection[str]) -> set[str]:
    """Those of these ids whose head is not the one that the run's own edges and heads give them.

    Reads the shards of the ids, of their earlier neighbours and of these's heads; with components all edges.
    """
    side = RunSide(run)
    if side.about.spec.clusters.rule == "components":
        return _not_of_their_component(side, ids)
    edges, events = side.edges(ids), side.events(ids)
    places = side.places({*ids, *(other for matches in edges.values() for other in matches)})
    heads_of = {
        item: {places[other].head for other in edges.get(item, {}) if other in places} for item in ids
    }
    heads = {head for own in heads_of.values() for head in own}
    keys = {head: event.key(head) for head, event in side.events(heads).items()}
    possible = {item: sorted(own & keys.keys(), key=keys.__getitem__) for item, own in heads_of.items()}
    ends = side.events({*edges, *(other for matches in edges.values() for other in matches)})
    order = {end: event.key(end) for end, event in ends.items()}
    unknown = [
        (head, item) for item, own in possible.items() for head in own if head not in edges.get(item, {})
    ]
    spec = side.about.spec
    checked = match_pairs(spec, side.pieces({end for pair in unknown for end in pair}), unknown)
    found = [
        [edges.get(item, {}).get(head) or checked[head, item] for head in own]
        for item, own in possible.items()
    ]
    chosen = _decided(spec, found)
    wrong = set()
    for (item, own), strengths, row in zip(possible.items(), found, chosen, strict=True):
        says = Place(item, None) if row == BECOMES_HEAD else Place(own[row], strengths[row])
        indexed = item in events and events[item].indexed
        if any(order[end] >= order[item] for end in edges.get(item, ()) if {end, item} <= order.keys()):
            continue  # the engine had another order: the edge is the cause
        if places.get(item) != (says if indexed else None):
            wrong.add(item)
    return wrong


def _not_of_their_component(side: RunSide, ids: Collection[str]) -> set[str]:
    """Those whose head is not the earliest of their component.

    Nobody can tell of one that is not all followed, has members that are not in the index or without the
    features that they should have, or an edge whose earlier end does not precede its later one.
    """
    connected = components(side, ids)
    members = {member for component in connected.values() for member in component.members}
    found, pieces = side.events(members), side.pieces(members)
    keys = {
        item: event.key(item)
        for item, event in found.items()
        if event.indexed and (event.status != "ok" or item in pieces)
    }
    edges, places = side.edges(members), side.places(ids)
    turned = {
        end
        for later, matches in edges.items()
        for end in matches
        if later in keys and end in keys and keys[end] >= keys[later]
    }
    return {
        item
        for item, component in connected.items()
        if component.whole
        and component.members <= keys.keys() | {item}
        and not component.members & turned
        and places.get(item) != component.place(item, keys, edges)
    }


def _decided(spec: Spec, found: Sequence[Sequence[Strength | None]]) -> list[int]:
    """Of each item the place of the head that it joins among its possible ones, or BECOMES_HEAD."""
    order = {channel.name: place for place, channel in enumerate(spec.channels)}
    rows = [
        (order.get(s.channel, NO_MATCH), s.numerator, s.denominator) if s else (NO_MATCH, 0, 0)
        for own in found
        for s in own
    ]
    channel, numerator, denominator = np.array(rows, np.int64).reshape(-1, 3).T.copy()
    starts = np.cumsum([0, *map(len, found)])
    chosen = decide(starts, channel.astype(np.int8), numerator, denominator)
    both = zip(chosen.tolist(), starts[:-1].tolist(), strict=True)
    return [row if row == BECOMES_HEAD else row - start for row, start in both]
