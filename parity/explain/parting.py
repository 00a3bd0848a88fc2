"""Where two sides part: the first stage at which what they store of the ids differs."""

from collections.abc import Iterator

from parity.explain import sums, words
from parity.explain.faults import STAGE_OF
from parity.explain.gather import Gathered
from parity.explain.result import STAGES, Parting
from parity.explain.side import Side
from parity.explain.sources import unread, winner
from parity.explain.strangers import why_drawn_apart
from parity.fields import FieldDifference, differing_fields
from parity.show import counted, number
from shared.stored import NOTHING, Event, Trace

_TABLES = {"features": ("verification", "record"), "signature": ("signatures", "signature")}


def parting(a: Gathered, b: Gathered, side_a: Side, side_b: Side) -> Parting | None:
    """None where both store the same of the ids at every stage. What the sides are read for is the reason."""
    for stage in STAGES:
        for item in a.ids:
            text = _differs(a, b, stage, item)
            if text:
                more = why_drawn_apart(a, b, side_a, side_b, item) if stage == "candidate" else ()
                return Parting(stage, item, text, (*more, *_places(a, b)))
    return None


def _differs(a: Gathered, b: Gathered, stage: str, item: str) -> str:
    """In words; empty where both sides store the same."""
    return _rows(a, b, stage, item) or _once(a, b, stage, item)


def _rows(a: Gathered, b: Gathered, stage: str, item: str) -> str:
    """Whether one side has a row more often than the other."""
    one, other = ({t: n for t, name, n in g.repeated if (name, STAGE_OF[t]) == (item, stage)} for g in (a, b))
    for table in one | other:
        if one.get(table) != other.get(table):
            has, lacks, rows = (a, b, one) if one.get(table, 1) > other.get(table, 1) else (b, a, other)
            found = f"{rows[table]} rows of {words.name(item)} in {has.name}"
            return f"{table} has {found}, more than in {lacks.name}"
    return ""


def _once(a: Gathered, b: Gathered, stage: str, item: str) -> str:
    """Of an id with as many rows on both sides."""
    if stage == "event":
        return _event(a, b, item)
    if stage in _TABLES:
        return _features(a, b, stage, item)
    if stage == "bucket":
        one, other = (g.held.get(item, NOTHING) for g in (a, b))
        return _trace(a, b, item, one, other, "is in", "bucket")
    if stage == "candidate":
        return _candidates(a, b, item)
    if stage == "match":
        return _edges(a, b, item)
    return _cluster(a, b, item)


def _event(a: Gathered, b: Gathered, item: str) -> str:
    name, (one, other) = words.name(item), (g.events.get(item) for g in (a, b))
    if one is None or other is None:
        if one is None and other is None:
            return ""
        has, lacks = (a, b) if one else (b, a)
        return f"{name} is only in {has.name}{unread(lacks, one or other)}"
    if one.counted == other.counted:
        return ""
    fields = [
        f"{field.replace('_', ' ')} {x} in {a.name} and {y} in {b.name}"
        for field, x, y in _fields(one, other)
    ]
    text = f"the rows of {name} differ: {', '.join(fields)}"
    if (one.op, one.event_time, one.digest) == (other.op, other.event_time, other.digest):
        return text
    won = winner(a.about.spec.times, item, one, other)
    if won is None:
        return text
    right, wrong = (a, b) if won == one else (b, a)
    return f"{text}; of the two events {right.name}'s is the winner{unread(wrong, won)}"


def _fields(one: Event, other: Event) -> Iterator[tuple[str, object, object]]:
    names = ["op", "event_time", "version_time", "effective_time", "status"]
    if all(event.event_time == event.version_time == event.effective_time for event in (one, other)):
        names = ["op", "event_time", "status"]
    for field in names:
        x, y = getattr(one, field), getattr(other, field)
        if x != y:
            yield field, x, y
    if one.digest != other.digest:
        yield "content digest", one.digest.hex()[:12], other.digest.hex()[:12]


def _features(a: Gathered, b: Gathered, stage: str, item: str) -> str:
    spec = a.about.spec
    one, other = (g.events.get(item) for g in (a, b))
    if one is not None and other is not None and one.status != other.status:
        of = f"the status of {words.name(item)}"
        return f"{of} is {one.status} in {a.name} and {other.status} in {b.name}; the event is the same"
    table, column = _TABLES[stage]
    rules = {channel.name: channel.match.rule for channel in spec.channels}
    for order, channel in enumerate(spec.channels):
        rows = []
        for g in (a, b):
            value = getattr(g.pieces[item][order], column) if item in g.pieces else None
            rows.append([] if value is None else [{"channel": channel.name, column: value}])
        if rows[0] != rows[1]:
            (field,) = differing_fields(table, rows[0], rows[1], rules)
            where = f"{words.name(item)} in channel {words.name(channel.name)}"
            return f"the {column} of {where} differs: {_field(a, b, field)}"
    return ""


def _field(a: Gathered, b: Gathered, field: FieldDifference) -> str:
    sides = ((g.name, "none" if value is None else value) for g, value in ((a, field.a), (b, field.b)))
    said = ", ".join(f"{value} in {name}" for name, value in sides)
    return f"{said}{f' ({field.note})' if field.note else ''}"


def _trace(a: Gathered, b: Gathered, item: str, one: Trace, other: Trace, does: str, noun: str) -> str:
    """Such as "x draws 3 items in A and 4 in B"."""
    if one == other:
        return ""
    count = counted(one[0], noun)
    if one[0] != other[0]:
        return f"{words.name(item)} {does} {count} in {a.name} and {number(other[0])} in {b.name}"
    return f"{words.name(item)} {does} {count} in both, not the same"


def _candidates(a: Gathered, b: Gathered, item: str) -> str:
    one, other = (g.drew.get(item, NOTHING) for g in (a, b))
    text = _trace(a, b, item, one, other, "draws", "item")
    if not text:
        return ""
    for here, there in ((a, b), (b, a)):
        only = [name for name in here.draws[item] if name not in there.draws[item]]
        only.sort(key=lambda name: name not in here.ids)
        if only:
            return f"{text}: {words.names(only)} in {here.name} alone{_pair(a, b, item, only)}"
    odd = _odd(a, b, item)
    return f"{text}{odd}"


def _odd(a: Gathered, b: Gathered, item: str) -> str:
    """Where both would draw the same: the one that one engine did not draw."""
    hashes = sums.id_hashes(a.draws[item])
    for g in (a, b):
        lost = sums.lost(hashes, g.drew.get(item, NOTHING))
        if lost is not None:
            return f": {g.name}'s engine did not draw {words.name(lost)}"
    return ", though by both sides' buckets it draws the same"


def _pair(a: Gathered, b: Gathered, item: str, only: list[str]) -> str:
    """What became of the pair, where it is another item that is drawn on one side alone."""
    if len(a.ids) < 2 or only[0] in a.ids:
        return ""
    one, other = a.ids
    drawn = [g.name for g in (a, b) if one in g.draws[other] or other in g.draws[one]]
    where = "on both sides" if len(drawn) == 2 else f"in {drawn[0]} alone" if drawn else "on neither side"
    return f" (the two are a drawn pair {where})"


def _edges(a: Gathered, b: Gathered, item: str) -> str:
    one, other = (dict(g.edges.get(item, {})) for g in (a, b))
    wrong = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
    if not wrong:
        return ""
    first = min(wrong, key=lambda name: (name not in a.ids, name))
    more = f" (and {len(wrong) - 1} more of its edges differ)" if len(wrong) > 1 else ""
    pair = f"{words.name(item)} with {words.name(first)}"
    if first in one and first in other:
        said = (words.strength(a.about.spec, own[first]) for own in (one, other))
        return f"the edge of {pair} is {next(said)} in {a.name} and {next(said)} in {b.name}{more}"
    has, lacks, edge = (a, b, one[first]) if first in one else (b, a, other[first])
    found = words.strength(a.about.spec, edge)
    return f"{has.name} has an edge of {pair} ({found}) and {lacks.name} has none{more}"


def _cluster(a: Gathered, b: Gathered, item: str) -> str:
    one, other = (g.places.get(item) for g in (a, b))
    if one == other:
        return ""
    said = [f"{words.place(g.about.spec, item, g.places.get(item))} in {g.name}" for g in (a, b)]
    return f"{words.name(item)} is {' and '.join(said)}"


def _places(a: Gathered, b: Gathered) -> Iterator[str]:
    """Sides at different fences need not agree."""
    one, other = a.about.fence, b.about.fence
    if one is not None and other is not None and one != other:
        yield (
            f"A and B stand at different places, so this may be no fault: {one.describe()} against "
            f"{other.describe()}"
        )
