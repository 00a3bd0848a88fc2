"""From what was gathered of a side to what is shown of it."""

import hashlib

from parity.explain import features, sums
from parity.explain.faults import expected_edges, faults
from parity.explain.features import first_wrong
from parity.explain.gather import Gathered
from parity.explain.heads import decision
from parity.explain.matching import measure_pair
from parity.explain.result import (
    BucketsView,
    ChannelView,
    DrawsView,
    EdgesView,
    EdgeView,
    ItemView,
    Largest,
    PairView,
    SharedBucket,
    SideView,
)
from parity.explain.shingles import shingles
from shared.stored import NOTHING, Entry, Piece

LISTED = 100  # of drawn items and of edges
_EXCERPT = 200  # characters of a payload


def side_view(g: Gathered, lake: str) -> SideView:
    return SideView(
        name=g.name,
        path=g.about.path,
        kind=g.about.kind,
        engine=g.about.engine,
        stands_at=g.about.stands_at,
        lake=lake if g.from_lake else "",
        items=tuple(_item(g, item) for item in g.ids),
        pair=_pair(g),
        faults=faults(g),
    )


def _item(g: Gathered, item: str) -> ItemView:
    pieces = g.pieces.get(item) or (Piece(),) * len(g.about.spec.channels)
    payload, sketched = _payload(g, item)
    return ItemView(
        id=item,
        event=g.events.get(item),
        payload=payload,
        sketched=sketched,
        channels=tuple(_channel(g, order, piece) for order, piece in enumerate(pieces)),
        buckets=_buckets(g, item),
        draws=_draws(g, item),
        edges=_edges(g, item),
        decision=decision(g, item),
    )


def _payload(g: Gathered, item: str) -> tuple[str, str]:
    """(excerpt, whether it gives the stored features)."""
    lake = g.from_lake.get(item)
    if lake is None:
        return "", ""
    excerpt = ""
    if lake.kind in ("text", "uri"):
        text = lake.payload.decode("utf-8", "replace")
        excerpt = text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")
    elif lake.kind == "vector":
        excerpt = f"a vector of {len(lake.payload) // 8} numbers"
    if lake.wrong or lake.unknown:
        return excerpt, lake.wrong or lake.unknown
    stored = g.pieces.get(item) or (Piece(),) * len(g.about.spec.channels)
    same = lake.status == g.events[item].status and lake.pieces == stored
    return excerpt, "yes" if same else "no"


def _channel(g: Gathered, order: int, piece: Piece) -> ChannelView:
    channel = g.about.spec.channels[order]
    damaged = features.damage(channel, piece)
    content = ""
    if piece.record is not None:
        content = f"damaged: {damaged[1]}" if damaged else features.content(channel, piece.record)
    wrong, follows = first_wrong(channel, piece), None
    if piece != Piece() and not damaged and channel.match.rule in ("jaccard", "hamming"):
        follows = wrong is None
    return ChannelView(channel.name, content, _short(piece.record), _short(piece.signature), follows, wrong)


def _short(value: bytes | None) -> str:
    return "" if value is None else hashlib.sha256(value).hexdigest()[:16]


def _buckets(g: Gathered, item: str) -> BucketsView:
    entries = g.entries.get(item, ()) if item in g.keys else ()
    expected = sums.trace(sums.entry_hashes(g.about.spec, entries))
    largest = max(entries, key=lambda entry: len(g.members[entry]), default=None)
    return BucketsView(
        held=g.held.get(item, NOTHING),
        expected=expected,
        shared=sum(len(g.members[entry]) > 1 for entry in entries),
        largest=_largest(g, item, largest) if largest is not None else None,
    )


def _largest(g: Gathered, item: str, entry: Entry) -> Largest:
    members = g.members[entry]
    return Largest(entry, len(members), members.rank(g.keys[item]))


def _draws(g: Gathered, item: str) -> DrawsView:
    drawn = g.draws[item]
    expected = sums.trace(sums.id_hashes(drawn))
    return DrawsView(g.drew.get(item, NOTHING), expected, tuple(drawn)[:LISTED])


def _edges(g: Gathered, item: str) -> EdgesView:
    own, later = g.edges.get(item, {}), g.later.get(item, {})
    in_order = sorted(own, key=lambda other: (g.keys.get(other, b""), other))
    return EdgesView(
        stored=tuple(EdgeView(other, own[other]) for other in in_order[:LISTED]),
        count=len(own),
        expected=len(expected_edges(g, item)),
        later=tuple(EdgeView(other, later[other]) for other in sorted(later)[:LISTED]),
        later_count=len(later),
    )


def _pair(g: Gathered) -> PairView | None:
    if g.pair is None:
        return None
    earlier, later = g.pair
    buckets = _shared(g, earlier, later)
    return PairView(
        earlier=earlier,
        later=later,
        channels=measure_pair(g.about.spec, g.pieces.get(earlier), g.pieces.get(later)),
        buckets=buckets,
        drawn=sum(bucket.draws != "left out" for bucket in buckets),
        verified=g.matches[earlier, later],
        stored=g.edges.get(later, {}).get(earlier),
        shingles=shingles(g, earlier, later),
    )


def _shared(g: Gathered, earlier: str, later: str) -> tuple[SharedBucket, ...]:
    found = []
    draws = {draw.entry: draw.how for draw in g.draws[later].get(earlier, ())}
    for entry in sorted({*g.entries.get(earlier, ()), *g.entries.get(later, ())}):
        members = g.members[entry]
        one, other = members.rank(g.keys[earlier]), members.rank(g.keys[later])
        if one is not None and other is not None:
            found.append(SharedBucket(entry, len(members), one, other, draws.get(entry, "left out")))
    return tuple(found)
