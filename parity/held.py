"""Does a row that differs follow from its own run: from what that run has of the stage before?

A row that does not is a cause of its own, whatever it is connected with. This finds the second of two faults
at one id, or in one bucket. It reads all signatures of both runs, so `diff --verify` does it and plain `diff`
charges by connection alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parity.decisions import do_not_follow
from parity.explain import features, sums
from parity.explain.given import drawn_given, entries_given
from parity.explain.matching import match_pairs
from parity.explain.runs import RunSide
from parity.rows import Change
from shared.run import STAGES, Run
from shared.stored import NOTHING, Event, Piece, Trace

MOST_HELD = 5_000  # ids; the first in order

Key = tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """wrong: by table, the keys of rows held that do not follow from their own run, on either side.

    misplaced: ids whose bucket entries, or whose draws though these are equal in both runs, are not what
    their own run gives: what is drawn near them cannot be judged. damaged: ids whose features and signature
    do not fit together: what matches them cannot. ids: how many of the differing ids were held.
    """

    wrong: Mapping[str, frozenset[Key]]
    misplaced: frozenset[str]
    damaged: frozenset[str]
    ids: int


def differing_ids(changes: Mapping[str, Sequence[Change]]) -> list[str]:
    """The ids whose rows differ (of an edge, the later one), in order."""
    return sorted({change.key[0] for found in changes.values() for change in found})


def hold(
    a: Run, b: Run, changes: Mapping[str, Sequence[Change]], suspects: Mapping[str, Sequence[Change]]
) -> Held:
    """Hold every differing row of the first MOST_HELD ids against its own run, and all suspects."""
    differing = differing_ids(changes)[:MOST_HELD]
    known = {*differing, *differing_ids(suspects)}
    ids = sorted(known)
    keys = {
        table: {c.key for c in (*found, *suspects.get(table, ())) if c.key[0] in known}
        for table, found in changes.items()
    }
    changed = [c.key[0] for c in changes["items"] if c.key[0] in known and c.kind == "wrong" and not c.late]
    events_a, events_b = (RunSide(run).events(changed) for run in (a, b))
    held = [_Own(a, ids, keys, events_b), _Own(b, ids, keys, events_a)] if ids else []
    wrong = {
        table: frozenset(own for one in held for own in one.wrong(table)) & frozenset(keys[table])
        for table in STAGES
    }
    misplaced = frozenset(item for one in held for item in one.misplaced())
    damaged = frozenset(item for one in held for item, _, _ in one.damage)
    return Held(wrong, misplaced, damaged, len(differing))


class _Own:
    """One run's rows of some ids. keys: of the rows that differ, by table.

    others: the other run's events of ids that have not the same, and not because one is late: the engine may
    have gone by either.
    """

    def __init__(
        self,
        run: Run,
        ids: Sequence[str],
        keys: Mapping[str, Collection[Key]],
        others: Mapping[str, Event],
    ) -> None:
        self._run, self._ids, self._differ = run, ids, keys
        side = RunSide(run)
        self._spec = side.about.spec
        self._events, self._pieces = side.events(ids), side.pieces(ids)
        self._edges = side.edges(ids)
        entries = entries_given(self._spec, self._events, self._pieces)
        self._drawn = drawn_given(side, self._events, entries)
        held, drew = side.bucket_traces(ids), side.candidate_traces(ids)
        self._holds_others = {
            item
            for item in ids
            if held.get(item, NOTHING) != sums.trace(sums.entry_hashes(self._spec, entries.get(item, ())))
        }
        # The engine may know these as two items: who matches or follows them is no matter of their signature.
        self._twice = {item for item in ids if held.get(item, NOTHING)[0] > len(entries.get(item, ()))}
        self._drew_others = {item for item in ids if not _is_trace_of(drew, item, self._drawn)}
        if self._drew_others and others:
            otherwise = drawn_given(side, self._events, entries, others)
            fits = {item for item in self._drew_others if _is_trace_of(drew, item, otherwise)}
            self._drawn |= {item: otherwise[item] for item in fits & otherwise.keys()}
            self._drew_others -= fits
        pairs = [(earlier, later) for later, earlier in keys["edges"]]
        self._ends = side.pieces({end for pair in pairs for end in pair})
        self.damage = list(self._damage())
        self._matches = match_pairs(self._spec, self._ends, pairs)

    @property
    def _nothing(self) -> tuple[Piece, ...]:
        return (features.NONE,) * len(self._spec.channels)

    def wrong(self, table: str) -> Iterator[Key]:
        if table in ("verification", "signatures"):
            stage = "features" if table == "verification" else "signature"
            yield from ((item, name) for item, name, at in self.damage if at == stage)
        elif table == "buckets":
            yield from ((item,) for item in self._holds_others if not self._contradicts_its_status(item))
        elif table == "candidates":
            yield from ((item,) for item in self._drew_others)
        elif table == "edges":
            yield from (key for key in self._differ["edges"] if self._is_wrong(*key))
        elif table == "clusters":
            wrong = do_not_follow(self._run, [item for (item,) in self._differ["clusters"]])
            yield from ((i,) for i in wrong if self._twice.isdisjoint({i, *self._edges.get(i, ())}))

    def misplaced(self) -> set[str]:
        differ = {item for (item,) in self._differ["candidates"]}
        return self._holds_others | (self._drew_others - differ)

    def _damage(self) -> Iterator[tuple[str, str, str]]:
        """(id, channel, stage) of features and signatures that do not fit together, or the status."""
        for item in self._ids:
            pieces, contradicts = self._pieces.get(item, self._nothing), self._contradicts_its_status(item)
            for channel, piece in zip(self._spec.channels, pieces, strict=True):
                if contradicts:
                    yield item, channel.name, "features"
                elif wrong := features.damage(channel, piece):
                    yield item, channel.name, wrong[0]
                elif features.first_wrong(channel, piece) is not None:
                    yield item, channel.name, "signature"

    def _contradicts_its_status(self, item: str) -> bool:
        """Whether it has features and should have none, or the other way round."""
        event = self._events.get(item)
        return event is not None and (event.status == "ok") != features.has_features(self._pieces.get(item))

    def _is_wrong(self, later: str, earlier: str) -> bool:
        """Whether an edge is not what verification gives or, where the draws are sound, not of a drawn pair.

        Of an end with damaged features, or without any, nobody can tell.
        """
        stored, given = self._edges.get(later, {}).get(earlier), self._matches[earlier, later]
        ends = [self._ends.get(end, self._nothing) for end in (later, earlier)]
        if not all(features.has_features(pieces) for pieces in ends):
            return False
        if any(features.whole(self._spec, pieces) != pieces for pieces in ends):
            return False
        if stored is not None and stored != given:
            return True
        if later in self._drew_others or later in self._twice:
            return False
        return (stored is not None) != (given is not None and earlier in self._drawn.get(later, ()))


def _is_trace_of(drew: Mapping[str, Trace], item: str, drawn: Mapping[str, Collection[str]]) -> bool:
    return drew.get(item, NOTHING) == sums.trace(sums.id_hashes(drawn.get(item, ())))
