"""What is shown of one side: stages 4 to 7."""

from collections.abc import Callable, Iterator, Mapping

from parity.explain import words
from parity.explain.heads import PossibleHead
from parity.explain.lines import (
    BOTH,
    Line,
    chosen,
    event_lines,
    feature_lines,
    label,
    signature_lines,
)
from parity.explain.result import Explanation, ItemView, PairView, SharedBucket, SideView
from parity.show import counted, number, printable
from shared.spec import Spec
from shared.stored import Entry, Strength

MOST = 8  # shared buckets of a pair, edges and possible heads that are shown
FEW = 5


def bucket_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    for item in side.items:
        yield Line(item.id, "entries", "bucket entries", _entries(item, side.kind))
        if len(explanation.ids) == 1 and item.buckets.expected[0]:
            yield Line(item.id, "shared", "with others in", f"{item.buckets.shared} of these buckets")
        largest = item.buckets.largest
        if len(explanation.ids) == 1 and largest is not None:
            rank = "its posting is lost" if largest.rank is None else f"its rank is {number(largest.rank)}"
            where = words.bucket(explanation.spec, largest.entry)
            text = f"{where}: {counted(largest.members, 'member')}, {rank}"
            yield Line(item.id, "largest", "the largest", text)
    if side.pair is not None:
        yield Line(BOTH, "shared", "shared buckets", _shared(side.pair))
        own = _ranks(side)
        shown = chosen([_ranks(other) for other in explanation.sides], MOST)
        for entry in shown:
            text = ranks(explanation.spec, own[entry]) if entry in own else "not shared"
            yield Line(BOTH, str(entry), f"  {words.bucket(explanation.spec, entry)}", text)
        if len(own) > len(shown):
            yield Line(BOTH, "more", "", f"and {len(own) - len(shown)} more")


def _entries(item: ItemView, kind: str) -> str:
    held, expected = item.buckets.held, item.buckets.expected
    if held == expected:
        return f"{number(held[0])}, what its signatures give" if held[0] else "none"
    where = "in the postings" if kind == "state" else "in the engine"
    return f"{number(held[0])} {where}, NOT the {number(expected[0])} that its signatures give"


def _shared(pair: PairView) -> str:
    if not pair.buckets:
        return "none"
    draws = f"{words.name(pair.later)} draws {words.name(pair.earlier)} in {pair.drawn}"
    return f"{len(pair.buckets)}: {draws} and leaves it out in {len(pair.buckets) - pair.drawn}"


def _ranks(side: SideView) -> dict[Entry, SharedBucket]:
    """Those that draw first."""
    buckets = side.pair.buckets if side.pair else ()
    in_order = sorted(buckets, key=lambda bucket: (bucket.draws == "left out", bucket.entry))
    return {bucket.entry: bucket for bucket in in_order}


def ranks(spec: Spec, bucket: SharedBucket) -> str:
    """Such as "ranks 2 and 5 of 9: drawn, 3rd of the first 8"."""
    draws = spec.channels[bucket.entry[0]].draws
    place = f"ranks {number(bucket.rank_earlier)} and {number(bucket.rank_later)} of {number(bucket.members)}"
    if bucket.draws == "first":
        return f"{place}: drawn, {_ordinal(bucket.rank_earlier + 1)} of the first {draws.first}"
    if bucket.draws == "near":
        before = bucket.rank_later - bucket.rank_earlier
        return f"{place}: drawn, {before} before it, of the nearest {draws.near}"
    return f"{place}: left out (draws the first {draws.first} and the {draws.near} before it)"


def _ordinal(place: int) -> str:
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def candidate_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    for item in side.items:
        yield Line(item.id, "draws", "draws", _drawn(item))
        if len(explanation.ids) == 1 and item.draws.drawn:
            more = item.draws.expected[0] - FEW
            text = ", ".join(words.name(other) for other in item.draws.drawn[:FEW])
            yield Line(item.id, "whom", "whom", f"{text}{f' and {number(more)} more' if more > 0 else ''}")
    if side.pair is not None:
        pair = side.pair
        text = f"yes, in {counted(pair.drawn, 'bucket')}" if pair.drawn else "no: they share no bucket"
        if pair.buckets and not pair.drawn:
            text = f"no: left out in {counted(len(pair.buckets), 'shared bucket')}"
        yield Line(BOTH, "drawn", "a candidate?", text)


def _drawn(item: ItemView) -> str:
    drew, expected = item.draws.drew, item.draws.expected
    if drew == expected:
        return f"{number(drew[0])} of the items before it, what its buckets give" if drew[0] else "nobody"
    return f"{number(drew[0])} of the items before it, NOT the {number(expected[0])} that its buckets give"


def match_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    spec = explanation.spec
    for place, item in enumerate(side.items):
        yield Line(item.id, "edges", "edges", _edges(item))
        if len(explanation.ids) == 1:
            own = _by_other(item)
            for other in chosen([_by_other(s.items[place]) for s in explanation.sides], MOST):
                text = words.edge(spec, own.get(other))
                yield Line(item.id, f"with {other}", "  with", f"{words.name(other)}: {text}")
            yield Line(item.id, "later", "later items", f"{number(item.edges.later_count)} match it")
    if side.pair is None:
        return
    pair = side.pair
    for channel, measured in zip(spec.channels, pair.channels, strict=True):
        yield Line(BOTH, measured.channel, label(measured.channel), words.judged(channel, measured))
    should = pair.verified if pair.drawn else None
    edge = words.edge(spec, pair.stored)
    if pair.verified is not None and not pair.drawn and pair.stored is None:
        edge = f"no edge: they match ({words.strength(spec, pair.verified)}), but are no candidates"
    elif should != pair.stored:
        edge = f"{edge}, NOT what this gives: {words.edge(spec, should)}"
    yield Line(BOTH, "edge", "stored", edge)


def _by_other(item: ItemView) -> dict[str, Strength]:
    return {view.other: view.strength for view in item.edges.stored}


def _edges(item: ItemView) -> str:
    edges = item.edges
    if not edges.count and not edges.expected:
        return "none with earlier items"
    text = f"{number(edges.count)} with earlier items"
    if edges.count == edges.expected:
        return text
    return f"{text}, NOT the {number(edges.expected)} that verification of what it draws gives"


def cluster_lines(side: SideView, explanation: Explanation) -> Iterator[Line]:
    spec = explanation.spec
    for place, item in enumerate(side.items):
        decision = item.decision
        if decision.members:
            yield Line(
                item.id, "component", "connected", f"{counted(decision.members, 'item')}, itself included"
            )
        own = {possible.head: possible for possible in decision.possible}
        for head in chosen([_possible(s.items[place]) for s in explanation.sides], MOST):
            text = possible(spec, own[head]) if head in own else "not possible"
            yield Line(item.id, f"head {head}", "possible head", f"{words.name(head)}: {text}")
        if len(own) > MOST:
            yield Line(item.id, "more", "", f"and {len(own) - MOST} more possible heads")
        if decision.lacking:
            more = f" (and {len(decision.lacking) - 1} more like it)" if len(decision.lacking) > 1 else ""
            yield Line(item.id, "lacking", "cannot tell", f"{printable(decision.lacking[0], 200)}{more}")
        stored = words.place(spec, item.id, decision.stored)
        if decision.decided not in (None, decision.stored):
            stored += f", NOT what this gives: {words.place(spec, item.id, decision.decided)}"
        yield Line(item.id, "stored", "stored", stored)


def _possible(item: ItemView) -> dict[str, PossibleHead]:
    """The chosen one first."""
    in_order = sorted(item.decision.possible, key=lambda possible: not possible.chosen)
    return {possible.head: possible for possible in in_order}


def possible(spec: Spec, head: PossibleHead) -> str:
    """Of a possible head: how it matches, how it comes to be possible, and whether it is the one."""
    text = words.strength(spec, head.strength) if head.strength else "no match"
    through = [other for other in head.through if other != head.head]
    if head.checked:
        text += f", verified now: it is the head of {words.names(through, 1)}, which it matches"
    if head.chosen:
        return f"{text}; chosen"
    return f"{text}; as strong as the chosen one, but later" if head.ties else text


LINES: Mapping[str, Callable[[SideView, Explanation], Iterator[Line]]] = {
    "event": event_lines,
    "features": feature_lines,
    "signature": signature_lines,
    "bucket": bucket_lines,
    "candidate": candidate_lines,
    "match": match_lines,
    "cluster": cluster_lines,
}
