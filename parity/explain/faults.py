"""Does what one side stores follow, stage by stage, from what it stores of the stage before?"""

from collections.abc import Iterator, Sized
from dataclasses import dataclass

from parity.explain import sums, words
from parity.explain.gather import Gathered
from parity.explain.heads import decision
from parity.explain.sources import event_faults, feature_faults
from shared.stored import NOTHING, Strength

STAGES = ("event", "features", "signature", "bucket", "candidate", "match", "cluster")
STAGE_OF = {
    "items": "event",
    "verification": "features",
    "signatures": "signature",
    "buckets": "bucket",
    "candidates": "candidate",
    "edges": "match",
    "clusters": "cluster",
}


@dataclass(frozen=True)
class Fault:
    """What a side stores of an id at a stage is not what the stages before give."""

    stage: str
    id: str
    text: str


def faults(g: Gathered) -> tuple[Fault, ...]:
    """Everything of the ids that does not follow, by stage."""
    found = [Fault(stage, item, text) for item in g.ids for stage, text in _of(g, item)]
    return tuple(sorted(found, key=lambda fault: STAGES.index(fault.stage)))


def _of(g: Gathered, item: str) -> Iterator[tuple[str, str]]:
    """(stage, text)"""
    for table, name, rows in g.repeated:
        if name == item:
            yield STAGE_OF[table], f"{table} has {rows} rows of {words.name(item)} where one may be"
    yield from (("event", text) for text in event_faults(g, item))
    yield from feature_faults(g, item)
    yield from (("bucket", text) for text in _buckets(g, item))
    yield from (("candidate", text) for text in _candidates(g, item))
    yield from (("match", text) for text in _match(g, item))
    yield from (("cluster", text) for text in _cluster(g, item))


def _buckets(g: Gathered, item: str) -> Iterator[str]:
    name, spec = words.name(item), g.about.spec
    strays = [(entry, other) for drawing, entry, other in g.strays if drawing == item]
    for entry, other in strays[:1]:
        yield (
            f"{name} draws {words.name(other)} in bucket {words.bucket(spec, entry)}, where by its own item "
            f"and signature that one is not: its posting is stale{_more(strays)}"
        )
    expected = sums.entry_hashes(spec, g.entries.get(item, ()) if item in g.keys else ())
    held = g.held.get(item, NOTHING)
    if held == sums.trace(expected):
        return
    what = "its postings have" if g.about.kind == "state" else "the engine held"
    text = f"the signatures of {name} give {len(expected)} bucket entries, {what} {held[0]}"
    lost = sums.lost(expected, held)
    if lost is not None:
        yield f"{text}: the one of {words.bucket(spec, lost)} is lost"
        return
    stray = sums.extra(expected, held, sums.entry_hashes(spec, g.members.keys() - expected.keys()))
    yield f"{text}: one in {words.bucket(spec, stray)} too many" if stray else f"{text}: not the same ones"


def _candidates(g: Gathered, item: str) -> Iterator[str]:
    name = words.name(item)
    expected = sums.id_hashes(g.draws[item])
    drew = g.drew.get(item, NOTHING)
    if drew == sums.trace(expected):
        return
    source = "the postings" if g.about.kind == "state" else "the run's signatures"
    text = f"by {source} {name} draws {len(expected)} items, the engine drew {drew[0]}"
    missing = sums.lost(expected, drew)
    if missing is not None:
        yield f"{text}: not {words.name(missing)}"
        return
    buckets = [g.members[entry] for entry in g.entries.get(item, ())]
    near = {other for members in buckets for other in members.ids(0, len(members))}
    stray = sums.extra(expected, drew, sums.id_hashes(near - expected.keys()))
    yield f"{text}: {words.name(stray)} too" if stray is not None else f"{text}: not the same ones"


def expected_edges(g: Gathered, item: str) -> dict[str, Strength]:
    """The earlier items that an item draws and matches."""
    found = {other: g.matches[other, item] for other in g.draws[item]}
    return {other: strength for other, strength in found.items() if strength is not None}


def _match(g: Gathered, item: str) -> Iterator[str]:
    spec = g.about.spec
    expected, stored = expected_edges(g, item), g.edges.get(item, {})
    wrong = [other for other in expected.keys() | stored.keys() if expected.get(other) != stored.get(other)]
    wrong.sort(key=lambda other: (other not in g.ids, other))  # the other id that is explained comes first
    for other in wrong[:1]:
        pair = f"{words.name(item)} with {words.name(other)}"
        given = words.strength(spec, expected[other]) if other in expected else "no match"
        kept = "no edge is stored"
        if other in stored:
            kept = f"the stored edge says {words.strength(spec, stored[other])}"
        if other in g.draws[item]:
            yield f"verification of {pair} gives {given}, {kept}{_more(wrong)}"
        else:
            yield f"{pair} is no drawn pair, {kept}{_more(wrong)}"


def _cluster(g: Gathered, item: str) -> Iterator[str]:
    name, spec, found = words.name(item), g.about.spec, decision(g, item)
    yield from (f"of {name}: {text}" for text in found.lacking[:1])
    if item not in g.keys:
        if found.stored is not None:
            yield f"{name} is not in the index, and its head is stored as {words.name(found.stored.head)}"
    elif found.decided is not None and found.decided != found.stored:
        given, stored = (words.place(spec, item, place) for place in (found.decided, found.stored))
        yield f"by its edges and their heads {name} should be {given}; stored is {stored}"


def _more(things: Sized) -> str:
    return f" (and {len(things) - 1} more like it)" if len(things) > 1 else ""
