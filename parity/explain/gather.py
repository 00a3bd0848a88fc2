"""All of one side that an explanation is made of, read once. What is said about it is pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from parity.explain.components import Component, components
from parity.explain.draws import Draw, Members, draws
from parity.explain.lake import FromLake, LakeRecords
from parity.explain.matching import Pair, match_pairs
from parity.explain.side import Side
from shared.stored import About, Entry, Event, Piece, Place, Strength, Trace, bucket_entries


@dataclass(frozen=True)
class Gathered:
    """Of one side; `name` is A or B. Mappings are by id unless they say otherwise.

    ids: what is explained. keys: priority keys of those that are indexed. entries: the buckets that their
    signatures name; members: of all these buckets. held, drew: the engine's own traces. draws: id -> whom it
    draws, in priority order -> where. matches: of all that is drawn, of the pair, and of possible heads.
    edges: id -> earlier items it matches; later: id -> later items that match it, of one id alone. places: of
    the ids and of their earlier neighbours. components: only where clusters are components. strays: (id,
    bucket, member that it draws there), where by its own rows the member is not in it. from_lake: where
    there is one.
    """

    name: str
    about: About
    ids: tuple[str, ...]
    events: Mapping[str, Event]
    pieces: Mapping[str, tuple[Piece, ...]]
    keys: Mapping[str, bytes]
    entries: Mapping[str, tuple[Entry, ...]]
    members: Mapping[Entry, Members]
    held: Mapping[str, Trace]
    drew: Mapping[str, Trace]
    draws: Mapping[str, Mapping[str, tuple[Draw, ...]]]
    matches: Mapping[Pair, Strength | None]
    edges: Mapping[str, Mapping[str, Strength]]
    later: Mapping[str, Mapping[str, Strength]]
    places: Mapping[str, Place]
    components: Mapping[str, Component]
    repeated: tuple[tuple[str, str, int], ...]
    strays: tuple[tuple[str, Entry, str], ...]
    from_lake: Mapping[str, FromLake]

    @property
    def pair(self) -> Pair | None:
        """The two ids in priority order; None where one is alone, or not indexed."""
        if len(self.ids) < 2 or not all(item in self.keys for item in self.ids):
            return None
        earlier, later = sorted(self.ids, key=self.keys.__getitem__)
        return earlier, later

    def has(self, item: str) -> bool:
        """Whether anything at all is stored of an id, if only that another matches it."""
        return any(item in own for own in self.edges.values()) or any(
            item in part
            for part in (self.events, self.pieces, self.held, self.drew, self.edges, self.later, self.places)
        )


def gather(name: str, side: Side, ids: tuple[str, ...], lake: LakeRecords | None) -> Gathered:
    """Read what is needed to explain one or two ids."""
    about = side.about
    edges = side.edges(ids)
    later = side.later_edges(ids) if len(ids) == 1 else {}
    connected = components(side, ids) if about.spec.clusters.rule == "components" else {}
    neighbours = {earlier for item in ids for earlier in edges.get(item, {})}
    neighbours |= {other for component in connected.values() for other in component.members}
    places = side.places({*ids, *neighbours})
    heads = {place.head for place in places.values()}
    events = side.events({*ids, *neighbours, *heads})
    keys = {item: event.key(item) for item, event in events.items() if event.indexed}
    pieces = side.pieces(ids)
    entries = {item: bucket_entries(about.spec, pieces[item]) for item in ids if item in pieces}
    read = side.members({entry for own in entries.values() for entry in own})
    members = {entry: Members(found) for entry, found in read.items()}
    drawn = {item: draws(about.spec, keys.get(item), entries.get(item, ()), members) for item in ids}
    wanted = {(other, item) for item in ids for other in drawn[item]}
    wanted |= {
        (head, item) for item in ids for other in edges.get(item, {}) if (head := _head(places, other))
    }
    if len(ids) == 2 and all(item in keys for item in ids):
        earlier, last = sorted(ids, key=keys.__getitem__)
        wanted.add((earlier, last))
    pieces |= side.pieces({item for pair in wanted for item in pair} - set(ids))
    strays = _strays(side, drawn, members, pieces) if about.kind == "state" else ()
    return Gathered(
        name=name,
        about=about,
        ids=ids,
        events=events,
        pieces=pieces,
        keys=keys,
        entries=entries,
        members=members,
        held=side.bucket_traces(ids),
        drew=side.candidate_traces(ids),
        draws=drawn,
        matches=match_pairs(about.spec, pieces, sorted(wanted)),
        edges=edges,
        later=later,
        places=places,
        components=connected,
        repeated=tuple(side.repeated(ids)),
        strays=strays,
        from_lake=_from_lake(lake, about, {item: events[item] for item in ids if item in events}),
    )


def _head(places: Mapping[str, Place], item: str) -> str | None:
    return places[item].head if item in places else None


def _strays(
    side: Side,
    draws: Mapping[str, Mapping[str, tuple[Draw, ...]]],
    members: Mapping[Entry, Members],
    pieces: Mapping[str, tuple[Piece, ...]],
) -> tuple[tuple[str, Entry, str], ...]:
    """Drawn members that by their own items and signatures are not in the bucket: postings may be stale."""
    drawn = {other for own in draws.values() for other in own}
    events = side.events(drawn)
    keys = {other: event.key(other) for other, event in events.items() if event.indexed}
    own = {other: set(bucket_entries(side.about.spec, pieces[other])) for other in drawn if other in pieces}
    return tuple(
        (item, draw.entry, other)
        for item, others in draws.items()
        for other, where in others.items()
        for draw in where
        if draw.entry not in own.get(other, ())
        or members[draw.entry].keys[draw.other_rank].as_py() != keys.get(other)
    )


def _from_lake(lake: LakeRecords | None, about: About, events: Mapping[str, Event]) -> dict[str, FromLake]:
    if lake is None or not lake.is_of(about):
        return {}
    return {item: lake.look_up(about, item, event) for item, event in events.items()}
