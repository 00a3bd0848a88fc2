"""Where each difference began: rows that differ only because an earlier stage does are charged there.

A first cut: by connected ids. An edge is charged to an end whose own event, features or signature
differ, else to such an id in a bucket of both ends, which shifted the draws. A cluster row is charged
to its id, to an edge of its id, to its head on either side, or to an earlier neighbour, whichever
differs; and so on along rows that differ. What is left began there.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from parity.evidence import Evidence
from parity.result import CAUSES, Difference
from parity.rows import Change

_OWN = (("items", "event"), ("verification", "features"), ("signatures", "signature"))


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
    edge_roots, touching = _edge_roots(changes["edges"], own, evidence, components)
    clusters = _cluster_roots(changes["clusters"], own, touching, evidence, components)
    roots = [*own.values(), *edge_roots, *clusters]
    roots.sort(key=lambda root: (root.order[0], -root.explains, root.order))
    return [Difference(r.cause, r.kind, r.id, r.earlier, (), r.explains) for r in roots]


def _own_roots(changes: Mapping[str, Sequence[Change]]) -> dict[str, _Root]:
    """id -> the first of its event, features and signature that differs."""
    own: dict[str, _Root] = {}
    for table, cause in _OWN:
        for item, group in groupby(changes[table], key=lambda change: change.key[0]):
            rows = list(group)  # one a channel
            if item in own:
                own[item].explains += len(rows)
                continue
            kinds = {row.kind for row in rows}
            kind = kinds.pop() if len(kinds) == 1 else "wrong"
            own[item] = _Root(cause, kind, item, None)
    return own


def _edge_roots(
    edges: Sequence[Change], own: Mapping[str, _Root], evidence: Evidence, components: bool
) -> tuple[list[_Root], dict[str, list[_Root]]]:
    """(differences that began at an edge, id -> the roots of differing edges that bear on its head)."""
    roots: list[_Root] = []
    touching: dict[str, list[_Root]] = defaultdict(list)
    apart = [change.key for change in edges if not own.keys() & set(change.key)]
    sharing = evidence.sharing_a_bucket(apart, own.keys())
    for change in edges:
        later, earlier = change.key
        near = (later, earlier, *sharing.get(change.key, ()))
        root = _first(own[item] for item in near if item in own)
        if root:
            root.explains += 1
        else:
            root = _Root("match", change.kind, later, earlier)
            roots.append(root)
        touching[later].append(root)
        if components:
            touching[earlier].append(root)
    return roots, touching


def _cluster_roots(
    changes: Sequence[Change],
    own: Mapping[str, _Root],
    touching: Mapping[str, list[_Root]],
    evidence: Evidence,
    components: bool,
) -> list[_Root]:
    """The differences that began at a cluster row; the other rows are added to what their roots explain."""
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
    roots = _spread_rest(rows, charged, depends, dependents)
    for item, root in charged.items():
        root.explains += not (root.cause == "cluster" and root.id == item)
    return roots


def _spread_rest(
    rows: Mapping[str, Change],
    charged: dict[str, _Root],
    depends: Mapping[str, set[str]],
    dependents: Mapping[str, list[str]],
) -> list[_Root]:
    """Rows that nothing explains yet: those that depend on no other began here, and explain the others."""
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
