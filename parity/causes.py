"""Where each difference began: rows that differ only because an earlier stage does are charged there.

docs/diff-json.md, "What is charged to what", has the rules. In short: of one id the first stage that
differs; what an item drew, to an id of its buckets that came, went or moved; an edge, to its ends or to what
the later end drew; a cluster row, to its id, its edges, its heads or earlier neighbours, whichever differs;
and so on along rows that differ. What is left began there. A row that does not follow from its own run began
there whatever it is connected with (parity/held.py).
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from parity.evidence import Evidence
from parity.explain import sums
from parity.held import MOST_HELD, Held, Key
from parity.result import CAUSES, Difference
from parity.rows import Change
from shared import traces

MOST_STRANGERS = 100

# The tables whose rows an id has for itself, and the stage that each stands for.
OWN = (
    ("items", "event"),
    ("verification", "features"),
    ("signatures", "signature"),
    ("buckets", "bucket"),
)


@dataclass
class _Root:
    cause: str
    kind: str
    id: str
    earlier: str | None
    explains: int = 0

    @property
    def order(self) -> tuple[int, str, str]:
        return CAUSES.index(self.cause), self.id, self.earlier or ""


def charge(
    changes: Mapping[str, Sequence[Change]],
    evidence: Evidence,
    components: bool,
    held: Held | None = None,
) -> list[Difference]:
    """Every difference that began somewhere, by cause, then by what explains most, then by id. No fields.

    changes: of each table, in key order. components: the cluster rule in which rows depend on each
    other both ways. held: which rows do not follow from their own run; None where nobody looked.
    """
    wrong = held.wrong if held else dict.fromkeys(changes, frozenset())
    own, second = _own_roots(changes, wrong)
    drawn, candidates = _candidate_roots(changes["candidates"], own, evidence, held)
    guilty = _wrong_edges(own, drawn, held) if held else frozenset()
    edges, touching = _edge_roots(changes["edges"], own, drawn, components, guilty)
    clusters = _cluster_roots(changes["clusters"], own, touching, evidence, components, held)
    roots = [*own.values(), *second, *candidates, *edges, *clusters]
    roots.sort(key=lambda root: (root.order[0], -root.explains, root.order))
    return [Difference(r.cause, r.kind, r.id, r.earlier, (), r.explains) for r in roots]


def _own_roots(
    changes: Mapping[str, Sequence[Change]], wrong: Mapping[str, Collection[Key]]
) -> tuple[dict[str, _Root], list[_Root]]:
    """(id -> the first of its event, features, signature and bucket entries that differs; roots after it)."""
    own: dict[str, _Root] = {}
    second: list[_Root] = []
    for table, cause in OWN:
        for item, group in groupby(changes[table], key=lambda change: change.key[0]):
            rows = list(group)  # one a channel
            if item in own:
                guilty = [row for row in rows if row.key in wrong[table]] if own[item].cause != cause else []
                own[item].explains += len(rows) - len(guilty)
                if guilty:
                    second.append(_Root(cause, _kind(guilty), item, None))
                continue
            stage = "features" if all(row.status_only for row in rows) else cause
            own[item] = _Root(stage, _kind(rows), item, None)
    return own, second


def _kind(rows: Sequence[Change]) -> str:
    kinds = {"late" if row.late else row.kind for row in rows}
    return kinds.pop() if len(kinds) == 1 else "wrong"


def _candidate_roots(
    rows: Sequence[Change], own: Mapping[str, _Root], evidence: Evidence, held: Held | None
) -> tuple[dict[str, _Root], list[_Root]]:
    """(id -> the root of what it drew, where that differs; the roots that began there)."""
    guilty = _drew_wrongly(rows, evidence, held) if held else set()
    charged = {row.key[0]: own[row.key[0]] for row in rows if row.key[0] in own.keys() - guilty}
    rest = [row for row in rows if row.key[0] not in charged]
    others = sorted(own, key=lambda item: own[item].order)
    shifted = evidence.in_a_bucket_with([row.key[0] for row in rest if row.key[0] not in guilty], others)
    charged |= {item: own[other] for item, other in shifted.items()}
    charged |= _from_strangers([row for row in rest if row.key[0] not in charged], own, evidence)
    roots = []
    for row in rest:
        (item,) = row.key
        if item not in charged:
            charged[item] = _Root("candidate", row.kind, item, None)
            roots.append(charged[item])
    for row in rows:
        root = charged[row.key[0]]
        root.explains += not (root.cause == "candidate" and root.id == row.key[0])
    return charged, roots


def _drew_wrongly(rows: Sequence[Change], evidence: Evidence, held: Held) -> set[str]:
    """Those whose draws do not follow from their own run, and from nothing misplaced in their buckets."""
    found = [row.key[0] for row in rows if row.key in held.wrong["candidates"]]
    near = evidence.in_a_bucket_with(found, sorted(held.misplaced)).keys()
    return set(found) - near - held.misplaced  # which are in no bucket where they have no signature


def _from_strangers(rows: Sequence[Change], own: Mapping[str, _Root], evidence: Evidence) -> dict[str, _Root]:
    """id -> the root of a stranger that it drew: of an id with entries in buckets that no signature names.

    Nobody can tell which buckets these are. But what an item drew differs by just a few of them, less those
    in whose place they came.
    """
    strangers = sorted(
        item for item, root in own.items() if root.cause == "bucket" and root.kind != "missing"
    )
    strangers = strangers[:MOST_STRANGERS]
    rows = rows[:MOST_HELD]
    if not strangers or not rows:
        return {}
    newcomers = sums.Newcomers(traces.id_hashes(pa.array(strangers, pa.string())))
    places = _places(newcomers, rows, {})
    # Most came in nobody's place; only for the others are signatures read.
    rest = [row for row in rows if row.key[0] not in places]
    places |= _places(newcomers, rest, evidence.drawn([row.key[0] for row in rest]) if rest else {})
    return {item: own[strangers[place]] for item, place in places.items()}


def _places(
    newcomers: sums.Newcomers, rows: Sequence[Change], drawn: Mapping[str, Collection[str]]
) -> dict[str, int]:
    """id -> the place of the first newcomer that it drew, perhaps instead of some that it should draw."""
    found: dict[str, int] = {}
    for row in rows:
        (item,) = row.key
        own = traces.id_hashes(pa.array(sorted(drawn.get(item, ())), pa.string()))
        place = newcomers.first(row.trace, own)
        if place is not None:
            found[item] = place
    return found


def _wrong_edges(own: Mapping[str, _Root], drawn: Mapping[str, _Root], held: Held) -> frozenset[Key]:
    """Those that do not follow from their own run. But where a late event made the pair, the engine may have
    asked for its match before an end was damaged."""
    late = {item for roots in (own, drawn) for item, root in roots.items() if root.kind == "late"}
    return frozenset(
        key for key in held.wrong["edges"] if not (late.intersection(key) and held.damaged.intersection(key))
    )


def _edge_roots(
    edges: Sequence[Change],
    own: Mapping[str, _Root],
    drawn: Mapping[str, _Root],
    components: bool,
    wrong: Collection[Key],
) -> tuple[list[_Root], dict[str, list[_Root]]]:
    """(differences that began at an edge, id -> the roots of differing edges that bear on its head)."""
    roots: dict[Key, _Root] = {}
    touching: dict[str, list[_Root]] = defaultdict(list)
    keys = {change.key for change in edges}
    for change in edges:
        later, earlier = change.key
        turned = (earlier, later)  # the same edge the other way round
        drew = change.key if turned in keys else (later,)
        guilty = change.key in wrong
        root = None if guilty else _first(own[item] for item in change.key if item in own)
        # What was drawn decides whether there is an edge, not how strong it is.
        if change.kind != "wrong" and not guilty:
            root = root or _first(drawn[item] for item in drew if item in drawn)
        root = root or roots.get(turned)
        if root:
            if root.cause == "match":
                root.kind = "wrong"
            root.explains += 1
        else:
            root = roots[change.key] = _Root("match", change.kind, later, earlier)
        touching[later].append(root)
        if components:
            touching[earlier].append(root)
    return list(roots.values()), touching


def _cluster_roots(
    changes: Sequence[Change],
    own: Mapping[str, _Root],
    touching: Mapping[str, list[_Root]],
    evidence: Evidence,
    components: bool,
    held: Held | None,
) -> list[_Root]:
    """The differences that began at a cluster row; the other rows are added to what their roots explain.

    Those began here that do not follow from their own run, and what nothing else explains.
    """
    rows = {change.key[0]: change for change in changes}
    charged: dict[str, _Root] = {}
    for item, row in rows.items():
        near = {item, *row.heads}
        if root := _first([*touching.get(item, ()), *(own[i] for i in near if i in own)]):
            charged[item] = root
    open_rows = rows if components else [item for item in rows if item not in charged]
    neighbours = evidence.earlier_neighbours(open_rows) if open_rows else {}
    dependents: dict[str, list[str]] = defaultdict(list)
    depends: dict[str, set[str]] = defaultdict(set)
    for item in open_rows:
        near = {*rows[item].heads, *neighbours.get(item, ())} - {item}
        if item not in charged and (root := _first(own[i] for i in near if i in own)):
            charged[item] = root
        for other in sorted(near & rows.keys()):
            depends[item].add(other)
            dependents[other].append(item)
            if components:
                dependents[item].append(other)
    _spread(charged, sorted(charged, key=lambda item: (charged[item].order, item)), dependents)
    # To be near a cause explains nothing where that cause is allowed: what nothing explains, or only a
    # late event, is held against its own run.
    if held:
        guilty = sorted(item for (item,) in held.wrong["clusters"] if item not in held.damaged)
        if not components:  # by which an item is verified with a head that it has no edge with
            guilty = [i for i in guilty if not held.damaged.intersection(rows[i].heads)]
    else:
        doubtful = [item for item in rows if item not in charged or charged[item].kind == "late"]
        found = sorted(evidence.wrongly_decided(doubtful))
        guilty = [item for item in found if not _damaged_before({item, *rows[item].heads}, own)]
    # Who follows from a match that is wrong does not follow from what is stored of it.
    guilty = [i for i in guilty if all(root.cause != "match" for root in touching.get(i, ()))]
    roots = _guilty_roots(rows, guilty, charged, components)
    _spread(charged, guilty, dependents)
    roots += _spread_rest(rows, charged, depends, dependents)
    for item, root in charged.items():
        root.explains += not (root.cause == "cluster" and root.id == item)
    return roots


def _damaged_before(ids: Iterable[str], own: Mapping[str, _Root]) -> bool:
    """Whether an earlier stage of these ids is not the same on both sides, and not because one is late."""
    roots = (own[item] for item in ids if item in own)
    return any(root.kind != "late" and root.cause in ("event", "features", "signature") for root in roots)


def _guilty_roots(
    rows: Mapping[str, Change], guilty: Sequence[str], charged: dict[str, _Root], components: bool
) -> list[_Root]:
    """A root a row; but where a head and a member changed places, those who followed are no others.

    With components all who left one head for another are one: it is chosen for them together.
    """
    roots: dict[tuple[str, ...], _Root] = {}
    heads_of = {item: tuple(sorted(rows[item].heads)) for item in guilty}
    for item, heads in heads_of.items():
        swapped = len(heads) == 2 and all(heads_of.get(head) == heads for head in heads)
        key = heads if swapped or (components and len(heads) == 2) else (item,)
        charged[item] = roots.setdefault(
            key, _Root("cluster", rows[item].kind, heads[0] if swapped else item, None)
        )
    return list(roots.values())


def _spread_rest(
    rows: Mapping[str, Change],
    charged: dict[str, _Root],
    depends: Mapping[str, set[str]],
    dependents: Mapping[str, list[str]],
) -> list[_Root]:
    """Rows that nothing explains yet, as with components: those that depend on no other explain the rest."""
    rest = sorted(item for item in rows if item not in charged)
    roots = []
    for item in [i for i in rest if not depends.get(i)] + rest:  # `rest` again: rings, as components have
        if item not in charged:
            charged[item] = _Root("cluster", rows[item].kind, item, None)
            roots.append(charged[item])
            _spread(charged, [item], dependents)
    return roots


def _spread(charged: dict[str, _Root], sources: Iterable[str], dependents: Mapping[str, list[str]]) -> None:
    queue = deque(sources)
    while queue:
        item = queue.popleft()
        for other in dependents.get(item, ()):
            if other not in charged:
                charged[other] = charged[item]
                queue.append(other)


def _first(roots: Iterable[_Root]) -> _Root | None:
    return min(roots, key=lambda root: root.order, default=None)
