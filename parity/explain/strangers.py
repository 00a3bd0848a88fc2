"""Why a bucket of one side holds an item and the other side's does not: another item made the difference."""

from collections.abc import Iterator

from parity.explain import words
from parity.explain.draws import Draw
from parity.explain.gather import Gathered
from parity.explain.side import Side
from parity.explain.sources import unread
from shared.stored import Entry, bucket_entries

_NAMED = 3


def why_drawn_apart(a: Gathered, b: Gathered, side_a: Side, side_b: Side, item: str) -> tuple[str, ...]:
    """Why an item draws others on one side than on the other; of the first that only one side draws."""
    for here, there, side_here, side_there in ((a, b, side_a, side_b), (b, a, side_b, side_a)):
        only = [other for other in here.draws[item] if other not in there.draws[item]]
        only.sort(key=lambda other: other not in here.ids)  # the other id that is explained comes first
        for other in only[:1]:
            return tuple(_why(here, there, side_here, side_there, item, other))
    return ()


def _why(
    here: Gathered, there: Gathered, side_here: Side, side_there: Side, item: str, other: str
) -> Iterator[str]:
    """`here` draws the other, `there` does not."""
    draw = here.draws[item][other][0]
    bucket = words.bucket(here.about.spec, draw.entry)
    yield (
        f"in {here.name} {words.name(item)} draws {words.name(other)} in bucket {bucket}: {drawn(here, draw)}"
    )
    members = there.members.get(draw.entry)
    rank = members.rank(there.keys[item]) if members is not None and item in there.keys else None
    if members is None or rank is None:
        yield f"in {there.name} {words.name(item)} is not in that bucket"
        return
    before = members.ids(0, rank)
    if other not in before:
        why = why_absent(there, side_there, other, draw.entry, side_here)
        yield f"in {there.name} it is not there: {why}"
        return
    known = set(here.members[draw.entry].ids(0, draw.rank))
    strangers = [name for name in before if name not in known]
    yield (
        f"in {there.name} it is left out there: its rank is {before.index(other)}, {words.name(item)} has "
        f"{rank}, and {len(strangers)} of the members before are not in {here.name}'s bucket"
    )
    for name in strangers[:_NAMED]:
        why = why_absent(here, side_here, name, draw.entry, side_there)
        yield f"in {there.name}'s bucket and not in {here.name}'s is {words.name(name)}: {why}"


def drawn(g: Gathered, draw: Draw) -> str:
    """Such as "rank 2 of the first 8"."""
    draws = g.about.spec.channels[draw.entry[0]].draws
    if draw.how == "first":
        return f"rank {draw.other_rank}, one of the first {draws.first}"
    return f"{draw.rank - draw.other_rank} before it, one of the nearest {draws.near}"


def why_absent(g: Gathered, side: Side, item: str, entry: Entry, other_side: Side) -> str:
    """Why an item is not in a bucket of a side, or not at its place in it; the other side has it there."""
    event = side.events([item]).get(item)
    if event is None:
        return f"{g.name} has no item of that id{unread(g, other_side.events([item]).get(item))}"
    if not event.indexed:
        return f"its status in {g.name} is {event.status}"
    pieces = side.pieces([item]).get(item)
    if pieces is None or all(piece.signature is None for piece in pieces):
        return f"{g.name} has no signature of it"
    if entry not in bucket_entries(g.about.spec, pieces):
        return f"its signature in {g.name} does not name that bucket"
    key = event.key(item)
    members = g.members.get(entry)
    if members is not None and members.rank(key) is None:
        return f"its signature in {g.name} names that bucket, but its posting is not there"
    return f"its times in {g.name} are others, and so is its rank"
