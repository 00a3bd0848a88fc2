"""Where each difference began: rows that differ only because an earlier stage does are charged there.

docs/diff-json.md, "What is charged to what", has the rules. In short: of one id the first stage that
differs; what an item drew, to an id of its buckets that came, went or moved; an edge, to its ends or to what
the later end drew; a cluster row, to its id, its edges, its heads or earlier neighbours, whichever differs;
and so on along rows that differ. What is left began there.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa

from parity.evidence import Evidence
from parity.result import CAUSES, Difference
from parity.rows import Change
from shared import traces

# The tables whose rows an id has for itself, and the stage that each stands for.
_OWN = (
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
) -> list[Difference]:
    """Every difference that began somewhere, by cause, then by what explains most, then by id. No fields.

    changes: of each table, in key order. components: the cluster rule in which rows depend on each
    other both ways.
    """
    own = _own_roots(changes)
    drawn, candidates = _candidate_roots(changes["candidates"], own, evidence)
    edges, touching = _edge_roots(changes["edges"], own, drawn, components)
    clusters = _cluster_roots(changes["clusters"], own, touching, evidence, components)
    roots = [*own.values(), *candidates, *edges, *clusters]
    roots.sort(key=lambda root: (root.order[0], -root.explains, root.order))
    return [Difference(r.cause, r.kind, r.id, r.earlier, (), r.explains) for r in roots]


def _own_roots(changes: Mapping[str, Sequence[Change]]) -> dict[str, _Root]:
    """id -> the first of its event, features, signature and bucket entries that differs."""
    own: dict[str, _Root] = {}
    for table, cause in _OWN:
        for item, group in groupby(changes[table], key=lambda change: change.key[0]):
            rows = list(group)  # one a channel
            if item in own:
                own[item].explains += len(rows)
                continue
            kinds = {"late" if row.late else row.kind for row in rows}
            kind = kinds.pop() if len(kinds) == 1 else "wrong"
            stage = "features" if all(row.status_only for row in rows) else cause
            own[item] = _Root(stage, kind, item, None)
    return own


def _candidate_roots(
    rows: Sequence[Change], own: Mapping[str, _Root], evidence: Evidence
) -> tuple[dict[str, _Root], list[_Root]]:
    """(id -> the root of what it drew, where that differs; the roots that began there)."""
    charged = {row.key[0]: own[row.key[0]] for row in rows if row.key[0] in own}
    rest = [row for row in rows if row.key[0] not in charged]
    others = sorted(own, key=lambda item: own[item].order)
    shifted = evidence.in_a_bucket_with([row.key[0] for row in rest], others)
    charged |= {item: own[other] for item, other in shifted.items()}
    strangers = _in_buckets_of_others(own, evidence) if len(shifted) < len(rest) else {}
    roots = []
    for row in rest:
        (item,) = row.key
        if item not in charged:
            known = strangers.get(row.trace)
            charged[item] = known or _Root("candidate", row.kind, item, None)
            if not known:
                roots.append(charged[item])
    for row in rows:
        root = charged[row.key[0]]
        root.explains += not (root.cause == "candidate" and root.id == row.key[0])
    return charged, roots


def _in_buckets_of_others(own: Mapping[str, _Root], evidence: Evidence) -> dict[int, _Root]:
    """By what a draw of it adds to a trace: the ids that have bucket entries and no signature.

    Nobody can tell which buckets they are in, only who drew them.
    """
    found = [item for item, root in own.items() if root.cause == "bucket" and root.kind != "missing"]
    strangers = sorted(set(found) - evidence.with_signatures(found)) if found else []
    hashes = traces.id_hashes(pa.array(strangers, pa.string())).tolist()
    return {
        traces.signed(sign * value): own[item]
        for item, value in zip(strangers, hashes, strict=True)
        for sign in (1, -1)
    }


def _edge_roots(
    edges: Sequence[Change], own: Mapping[str, _Root], drawn: Mapping[str, _Root], components: bool
) -> tuple[list[_Root], dict[str, list[_Root]]]:
    """(differences that began at an edge, id -> the roots of differing edges that bear on its head)."""
    roots: dict[tuple[str, ...], _Root] = {}
    touching: dict[str, list[_Root]] = defaultdict(list)
    keys = {change.key for change in edges}
    for change in edges:
        later, earlier = change.key
        turned = (earlier, later)  # the same edge the other way round
        drew = change.key if turned in keys else (later,)
        root = _first(own[item] for item in change.key if item in own)
        if change.kind != "wrong":  # what was drawn decides whether there is an edge, not how strong it is
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
    doubtful = [item for item in rows if item not in charged or charged[item].kind == "late"]
    guilty = [] if components else sorted(evidence.wrongly_decided(doubtful))
    guilty = [item for item in guilty if not _damaged_before({item, *rows[item].heads}, own)]
    roots = _guilty_roots(rows, guilty, charged)
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
    rows: Mapping[str, Change], guilty: Sequence[str], charged: dict[str, _Root]
) -> list[_Root]:
    """A root a row; but where a head and a member changed places, those who followed are no others."""
    roots: dict[tuple[str, ...], _Root] = {}
    heads_of = {item: tuple(sorted(rows[item].heads)) for item in guilty}
    for item, heads in heads_of.items():
        swapped = len(heads) == 2 and all(heads_of.get(head) == heads for head in heads)
        key = heads if swapped else (item,)
        charged[item] = roots.setdefault(key, _Root("cluster", rows[item].kind, key[0], None))
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
