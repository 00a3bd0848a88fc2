"""Clusters compared without regard to labels, against sets and pairs counted one by one."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parity.bridges import Bridge
from parity.groups import KINDS
from parity.regrouping import ClusterComparison, Regrouping, compare_clusters
from parity.rows import changes
from shared.errors import SourceError
from shared.run import CLUSTERS, EDGES, open_run
from tests import runs
from tests.runs import edge, head, member

Heads = Mapping[str, str]  # id -> head
Pairs = Iterable[tuple[str, str]]  # (earlier, later)


def write(path: Path, heads: Heads, edges: Pairs = ()) -> Path:
    rows: runs.Rows = {"edges": [edge(*ends) for ends in edges]}
    rows["clusters"] = [head(name) if name == of else member(name, of) for name, of in heads.items()]
    return runs.write(path, rows)


def compare(
    a: Heads, b: Heads, edges_a: Pairs = (), edges_b: Pairs = (), **options: Any
) -> ClusterComparison:
    """As `diff` would: written as runs, and what differs found in their rows."""
    with tempfile.TemporaryDirectory() as folder:
        left = open_run(write(Path(folder, "a"), a, edges_a))
        right = open_run(write(Path(folder, "b"), b, edges_b))
        ids = {change.key[0] for change in changes(left, right, CLUSTERS)}
        return compare_clusters(left, right, ids, changes(left, right, EDGES), **options)


def clusters(*members: str) -> dict[str, str]:
    """Clusters as words: the letters are members, the first is the head."""
    return {name: word[0] for word in members for name in word}


def counts(result: ClusterComparison) -> dict[str, int]:
    assert tuple(kind for kind, _ in result.counts) == KINDS
    return {kind: count for kind, count in result.counts if count}


def only(result: ClusterComparison) -> Regrouping:
    assert len(result.regroupings) == 1 and sum(counts(result).values()) == 1
    return result.regroupings[0]


def test_a_split_names_the_edge_that_held_the_cluster_together() -> None:
    result = compare(
        clusters("abc", "d"), clusters("ab", "c", "d"), [("a", "b"), ("b", "c"), ("a", "d")], [("a", "b")]
    )
    assert only(result) == Regrouping(
        kind="split",
        count_a=1,
        count_b=2,
        clusters_a=(("a", 3),),
        clusters_b=(("a", 2), ("c", 1)),
        moved=3,
        ids=("c",),
        bridges=(Bridge("A", "c", "b"),),
    )
    assert (result.pairs_a, result.pairs_b, result.pairs_common) == (3, 1, 1)
    assert (result.precision, result.recall, result.f1) == (1.0, 1 / 3, 0.5)
    assert result.items_common == 4 and result.moved == 3


def test_a_merge_names_the_edge_that_bridged_it() -> None:
    """Its end e has the cluster row that it had."""
    edges = [("a", "b"), ("d", "e"), ("e", "f")]
    result = compare(clusters("ab", "fde"), clusters("fabde"), edges, [*edges, ("b", "e"), ("d", "f")])
    assert only(result) == Regrouping(
        kind="merge",
        count_a=2,
        count_b=1,
        clusters_a=(("f", 3), ("a", 2)),
        clusters_b=(("f", 5),),
        moved=5,
        ids=("a", "b"),
        bridges=(Bridge("B", "e", "b"),),
    )
    assert (result.precision, result.recall) == (4 / 10, 1.0)


def test_an_edge_within_a_cluster_is_no_bridge() -> None:
    """Nor one between clusters that are still apart, nor one whose end is in no cluster."""
    edges = [("a", "b"), ("c", "d"), ("x", "y"), ("a", "z")]
    result = compare(clusters("abx", "cd", "y"), clusters("abxcd", "y"), [], edges)
    assert only(result).kind == "merge" and only(result).bridges == ()


def test_an_edge_of_both_sides_with_another_number_is_no_bridge() -> None:
    with tempfile.TemporaryDirectory() as folder:
        left = open_run(write(Path(folder, "a"), clusters("a", "b"), [("a", "b")]))
        rows = {"edges": [edge("a", "b", 9)], "clusters": [head("a"), member("b", "a")]}
        right = open_run(runs.write(Path(folder, "b"), rows))
        found = changes(left, right, EDGES)
        assert [change.kind for change in found] == ["wrong"]
        assert only(compare_clusters(left, right, ["b"], found)).bridges == ()


def test_a_merge_names_the_item_that_bridged_it() -> None:
    """x has edges into both clusters, w into one: x comes first. z is new in a cluster of its own."""
    result = compare(
        clusters("ab", "cd"),
        clusters("abcdwx", "z"),
        [("a", "b"), ("c", "d")],
        [("a", "b"), ("c", "d"), ("b", "w"), ("a", "x"), ("x", "c")],
    )
    assert counts(result) == {"merge": 1, "extra": 1}
    merge, extra = result.regroupings
    assert (merge.clusters_a, merge.clusters_b, merge.moved) == ((("a", 2), ("c", 2)), (("a", 6),), 4)
    assert merge.ids == ("c", "d", "w", "x")
    assert merge.bridges == (Bridge("B", "x", None), Bridge("B", "w", None))
    assert (extra.clusters_a, extra.clusters_b, extra.moved, extra.ids) == ((), (("z", 1),), 0, ("z",))
    assert extra.bridges == ()


def test_a_split_names_the_item_that_is_gone_and_a_head_before_other_items() -> None:
    result = compare(clusters("xabw"), clusters("a", "b"))
    assert only(result).kind == "split"
    assert only(result).bridges == (Bridge("A", "x", None), Bridge("A", "w", None))


def test_another_head_changes_no_pair() -> None:
    result = compare(clusters("abc", "d"), clusters("bac", "d"), [], [("a", "c")])
    found = only(result)
    assert (found.kind, found.moved, found.ids, found.bridges) == ("head", 0, ("a", "b", "c"), ())
    assert (found.clusters_a, found.clusters_b) == ((("a", 3),), (("b", 3),))
    assert (result.precision, result.recall, result.f1, result.adjusted_rand) == (1, 1, 1, 1)


def test_a_move_names_bridges_on_both_sides() -> None:
    """c left a and b for d: an edge held it there, another holds it here."""
    edges_a, edges_b = [("a", "b"), ("b", "c"), ("d", "e")], [("a", "b"), ("c", "e"), ("d", "e")]
    found = only(compare(clusters("abc", "de"), clusters("ab", "dec"), edges_a, edges_b))
    assert (found.kind, found.count_a, found.count_b, found.moved) == ("move", 2, 2, 5)
    assert found.ids == ("c",)
    assert found.bridges == (Bridge("A", "c", "b"), Bridge("B", "e", "c"))


def test_heads_that_change_places_are_told_from_clusters_that_do() -> None:
    result = compare(clusters("ab", "cd"), {"a": "c", "b": "c", "c": "a", "d": "a"})
    assert counts(result) == {"head": 2} and result.adjusted_rand == 1 and result.moved == 0


def test_members_that_one_side_does_not_have() -> None:
    result = compare(clusters("abx", "cy", "de", "qs"), clusters("ab", "cz", "de", "r"))
    assert counts(result) == {"members": 2, "missing": 1, "extra": 1}
    assert [(r.kind, r.moved, r.ids) for r in result.regroupings] == [
        ("members", 2, ("x",)),
        ("members", 1, ("y", "z")),
        ("missing", 0, ("q", "s")),
        ("extra", 0, ("r",)),
    ]
    assert (result.pairs_a, result.pairs_b, result.pairs_common) == (6, 3, 2)
    assert (result.within_a, result.within_b, result.items_common) == (2, 2, 5)
    assert result.adjusted_rand == 1  # of the ids that both sides have


def test_rows_that_differ_in_numbers_alone_are_no_regrouping() -> None:
    with tempfile.TemporaryDirectory() as folder:
        left = open_run(write(Path(folder, "a"), clusters("abc")))
        rows = {"clusters": [head("a"), member("b", "a", 9), member("c", "a")]}
        result = compare_clusters(left, open_run(runs.write(Path(folder, "b"), rows)), ["b"], [])
    assert counts(result) == {} and result.regroupings == ()
    assert (result.pairs_a, result.pairs_b, result.pairs_common) == (3, 3, 3)


def test_equal_clusters_have_all_pairs_in_common() -> None:
    result = compare(clusters("abc", "de"), clusters("abc", "de"))
    assert counts(result) == {} and result.pairs_common == 4 and result.adjusted_rand == 1


@pytest.mark.parametrize(("a", "b"), [([], []), ([], ["a"]), (["a"], ["a"]), (["ab"], ["cd"])])
def test_what_is_undefined_is_none(a: list[str], b: list[str]) -> None:
    result = compare(clusters(*a), clusters(*b))
    assert result.adjusted_rand is None
    assert (result.precision, result.recall, result.f1) == ((0, 0, 0) if a == ["ab"] else (None,) * 3)


def test_long_lists_are_cut_and_counted() -> None:
    names = [f"i{i:03d}" for i in range(300)]
    a = {name: name for name in names}
    b = a | dict.fromkeys(names[:200], "i000") | {"i201": "i200", "i203": "i202"}
    bridges = [("i000", name) for name in names[1:200]]
    result = compare(a, b, [], bridges, listed=2)
    assert counts(result) == {"merge": 3} and len(result.regroupings) == 2 and result.moved == 204
    big, small = result.regroupings
    assert (big.count_a, len(big.clusters_a), big.moved, len(big.ids)) == (200, 10, 200, 5)
    assert big.bridges == tuple(Bridge("B", name, "i000") for name in names[1:6])
    assert small.ids == ("i201",)


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    left, right = (write(tmp_path / name, clusters("abc")) for name in "ab")
    file = right / "clusters/part-0.parquet"
    data = bytearray(file.read_bytes())
    data[4:200] = bytes(196)
    file.write_bytes(data)
    with pytest.raises(SourceError, match="b: the rows of clusters cannot be read"):
        compare_clusters(open_run(left), open_run(right), ["b"], [])


NAMES = "abcdefghij"


@st.composite
def sides(draw: st.DrawFn) -> tuple[Heads, Heads]:
    """Two clusterings of which one is the other with some ids put elsewhere, or any two."""
    places = st.lists(st.integers(0, 5), min_size=len(NAMES), max_size=len(NAMES))  # 0: not in the index
    left, right = draw(places), draw(places)
    if draw(st.booleans()):
        kept = draw(st.lists(st.sampled_from(range(len(NAMES))), unique=True, min_size=6))
        right = [left[i] if i in kept else place for i, place in enumerate(right)]
    return headed(draw, left), headed(draw, right)


def headed(draw: st.DrawFn, places: list[int]) -> Heads:
    """Each cluster with one of its members as its head: often the first, as in both runs of a diff."""
    members = {place: [n for n, p in zip(NAMES, places, strict=True) if p == place] for place in {*places}}
    heads = {
        place: draw(st.one_of(st.just(names[0]), st.sampled_from(names))) for place, names in members.items()
    }
    return {name: heads[place] for name, place in zip(NAMES, places, strict=True) if place}


pairs = st.sets(st.sampled_from([*combinations(NAMES, 2)]), max_size=12)


def sets(heads: Heads) -> dict[str, frozenset[str]]:
    """Head -> the ids of its cluster."""
    return {of: frozenset(name for name in heads if heads[name] == of) for of in heads.values()}


def together(heads: Heads, ids: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of these ids in one cluster."""
    return {(x, y) for x, y in combinations(sorted(ids), 2) if x in heads and heads[x] == heads.get(y)}


def adjusted_rand(a: Heads, b: Heads) -> float | None:
    """By the four numbers of pairs, as scikit-learn has it."""
    ids = a.keys() & b.keys()
    if len(ids) < 2:
        return None
    in_a, in_b = together(a, ids), together(b, ids)
    tp, fn, fp = len(in_a & in_b), len(in_a - in_b), len(in_b - in_a)
    tn = len(ids) * (len(ids) - 1) // 2 - tp - fn - fp
    if fn == fp == 0:
        return 1.0
    return 2 * (tp * tn - fn * fp) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))


Cluster = frozenset[str]


def groups(a: Heads, b: Heads) -> list[tuple[list[Cluster], list[Cluster]]]:
    """Clusters of A and of B, put together for as long as any share ids."""
    found: list[tuple[list[Cluster], list[Cluster]]] = [([ids], []) for ids in {*sets(a).values()}]
    found += [([], [ids]) for ids in {*sets(b).values()}]
    while True:
        for x, y in combinations(found, 2):
            if Cluster().union(*x[0], *x[1]) & Cluster().union(*y[0], *y[1]):
                found.remove(x)
                found.remove(y)
                found.append((x[0] + y[0], x[1] + y[1]))
                break
        else:
            return found


def kind(a: Heads, b: Heads, in_a: list[Cluster], in_b: list[Cluster]) -> str | None:
    """None where both sides agree."""
    if in_a == in_b:
        some = min(in_a[0])
        return None if a[some] == b[some] else "head"
    one = {(1, 0): "missing", (0, 1): "extra", (1, 1): "members"}
    several = "split" if len(in_a) == 1 else "merge" if len(in_b) == 1 else "move"
    return one.get((len(in_a), len(in_b)), several)


def regrouping(a: Heads, b: Heads, in_a: list[Cluster], in_b: list[Cluster], name: str) -> tuple[object, ...]:
    """The kind, the clusters of both sides, the ids moved, the first ids whose heads differ."""
    left, right = (
        tuple(sorted(((side[min(ids)], len(ids)) for ids in of), key=lambda cluster: (-cluster[1], cluster)))
        for side, of in ((a, in_a), (b, in_b))
    )
    ids = Cluster().union(*in_a, *in_b)
    moved = [i for i in ids & a.keys() & b.keys() if sets(a)[a[i]] != sets(b)[b[i]]]
    return name, left, right, len(moved), tuple(sorted(i for i in ids if a.get(i) != b.get(i))[:5])


@settings(max_examples=50, deadline=None)
@given(sides(), pairs, pairs)
@example((clusters("abc"), clusters("abc")), set(), {("a", "b")})
@example((clusters("abcd", "ef"), clusters("ab", "cdef")), {("b", "c")}, {("d", "e")})
def test_against_sets_and_pairs(
    both: tuple[Heads, Heads], edges_a: set[tuple[str, str]], edges_b: set[tuple[str, str]]
) -> None:
    a, b = both
    result = compare(a, b, edges_a, edges_b)

    in_a, in_b = together(a, NAMES), together(b, NAMES)
    assert (result.pairs_a, result.pairs_b) == (len(in_a), len(in_b))
    assert result.pairs_common == len(in_a & in_b)
    assert result.items_common == len(a.keys() & b.keys())
    assert result.precision == (len(in_a & in_b) / len(in_b) if in_b else None)
    assert result.recall == (len(in_a & in_b) / len(in_a) if in_a else None)
    assert result.f1 == (2 * len(in_a & in_b) / (len(in_a) + len(in_b)) if in_a or in_b else None)
    assert result.adjusted_rand == pytest.approx(adjusted_rand(a, b), abs=1e-12)

    wanted = [regrouping(a, b, *group, name) for group in groups(a, b) if (name := kind(a, b, *group))]
    found = [(r.kind, r.clusters_a, r.clusters_b, r.moved, r.ids) for r in result.regroupings]
    assert sorted(wanted) == sorted(found)
    assert counts(result) == Counter(name for name, *_ in wanted)
    assert all((r.count_a, r.count_b) == (len(r.clusters_a), len(r.clusters_b)) for r in result.regroupings)
    order = [r.moved for r in result.regroupings]
    assert order == sorted(order, reverse=True) and result.moved == sum(order)
    for one in result.regroupings:
        check_bridges(one, a, b, edges_a - edges_b, edges_b - edges_a)


def check_bridges(
    found: Regrouping, a: Heads, b: Heads, only_a: set[tuple[str, str]], only_b: set[tuple[str, str]]
) -> None:
    """Per side: every edge that joined what the other side has apart; or else the items."""
    for side, own, other, edges, mine in (
        ("A", a, b, only_a, found.clusters_a),
        ("B", b, a, only_b, found.clusters_b),
    ):
        listed = [bridge for bridge in found.bridges if bridge.side == side]
        edge_bridges, item_bridges = set(), set()
        for of, _ in mine:
            ids = sets(own)[of]
            if len({other[i] for i in ids if i in other}) < 2:
                continue
            joining = {
                Bridge(side, later, earlier)
                for earlier, later in edges
                if {earlier, later} <= ids & other.keys() and other[earlier] != other[later]
            }
            edge_bridges |= joining
            if not joining:
                item_bridges |= {Bridge(side, i, None) for i in ids - other.keys()}
        every = edge_bridges | item_bridges
        assert len(listed) == len({*listed}) == min(5, len(every)) and {*listed} <= every
        assert not every or found.kind in {"A": ("split", "move"), "B": ("merge", "move")}[side]


@settings(max_examples=10, deadline=None)
@given(sides(), st.randoms(use_true_random=False))
def test_labels_do_not_matter(both: tuple[Heads, Heads], random: Any) -> None:
    a, b = both
    others = {of: random.choice(sorted(ids)) for of, ids in sets(b).items()}
    plain, renamed = compare(a, b), compare(a, {name: others[of] for name, of in b.items()})
    for name in ("pairs_a", "pairs_b", "pairs_common", "adjusted_rand", "items_common", "moved"):
        assert getattr(plain, name) == getattr(renamed, name)
    assert counts(plain) | {"head": 0} == counts(renamed) | {"head": 0}
