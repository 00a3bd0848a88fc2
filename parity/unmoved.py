"""Rows that are the same in both runs though a late event should have changed one of them.

No comparison of rows sees these. So where runs stand at two fences, `diff --verify` holds against its own run
whoever is in a bucket with a late id, or in its cluster, as it does with rows that differ (parity/held.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from parity.causes import OWN
from parity.explain.given import entries_given
from parity.explain.runs import RunSide
from parity.held import MOST_HELD, Held, differing_ids
from parity.rows import Change, rows_with
from shared.heads import key_id
from shared.run import CLUSTERS, Run

Changes = Mapping[str, Sequence[Change]]  # by table


def suspects(a: Run, b: Run, changes: Changes) -> Changes:
    """The draws, edges and cluster rows near late events that do not differ, as changes to be judged.

    Of so many ids as are not taken by those that differ, MOST_HELD in all. Reads all signatures and cluster
    rows of both runs.
    """
    late = {change.key[0] for change in changes["items"] if change.late}
    room = MOST_HELD - len(differing_ids(changes))
    if not late or room <= 0:
        return {}
    near = sorted(_in_their_buckets((a, b), late) | _in_their_clusters((a, b), late))[:room]
    edges: set[tuple[str, str]] = set()
    heads: dict[str, set[str]] = defaultdict(set)
    for side in (RunSide(a), RunSide(b)):
        edges |= {(later, earlier) for later, own in side.edges(near).items() for earlier in own}
        for item, place in side.places(near).items():
            heads[item].add(place.head)
    rests_on_late = {later for later, earlier in edges if earlier in late}
    rests_on_late |= {item for item, own in heads.items() if own & late}
    found = {
        "candidates": [Change((item,), "wrong") for item in near],
        "edges": [Change(key, "wrong") for key in sorted(edges)],
        "clusters": [Change((i,), "wrong", tuple(own)) for i, own in heads.items() if i in rests_on_late],
    }
    # What follows from an id that differs for another reason is the same for that reason.
    damaged = {change.key[0] for table, _ in OWN for change in changes[table]} - late
    return {table: _less(own, changes[table], damaged) for table, own in found.items()}


def convicted(changes: Changes, near: Changes, held: Held) -> Changes:
    """The changes, and of the suspects those that do not follow from their own run; in key order."""
    return {
        table: sorted(
            [*own, *(change for change in near.get(table, ()) if change.key in held.wrong[table])],
            key=lambda change: change.key,
        )
        for table, own in changes.items()
    }


def _less(found: Iterable[Change], others: Iterable[Change], ids: set[str]) -> list[Change]:
    """Without the keys of others, and those with one of these ids."""
    known = {change.key for change in others}
    return [change for change in found if change.key not in known and ids.isdisjoint(change.key)]


def _in_their_buckets(runs: Sequence[Run], late: Collection[str]) -> set[str]:
    """A late event may have taken its id out of the buckets that it was in before."""
    sides = [RunSide(run) for run in runs]
    entries = {
        entry
        for side in sides
        for own in entries_given(side.about.spec, side.events(late), side.pieces(late)).values()
        for entry in own
    }
    return {
        key_id(key).decode()
        for side in sides
        for members in side.members(entries).values()
        for key in members.to_pylist()
    }


def _in_their_clusters(runs: Iterable[Run], late: Collection[str]) -> set[str]:
    found = (rows_with(run, CLUSTERS.name, "head", late, ["id", "head"]) for run in runs)
    return {item for batches in found for batch in batches for item in batch.column("id").to_pylist()}
