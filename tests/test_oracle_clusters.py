"""The oracle's draws, matches and clusters against cases worked out by hand."""

from typing import Any

import pytest
import xxhash

from tests.hand_made import event, log, make_channel, make_spec, rule
from tests.oracle import (
    Edge,
    Expected,
    Record,
    cluster_by_components,
    cluster_by_heads,
    draw,
    expect,
    match,
    minhash,
)

# --- Draws


@pytest.mark.parametrize(
    ("first", "near", "drawn", "left_out"),
    [
        (0, 0, {}, 10),
        (1, 0, {"b": "a", "c": "a", "d": "a", "e": "a"}, 6),
        (0, 1, {"b": "a", "c": "b", "d": "c", "e": "d"}, 6),
        (1, 1, {"b": "a", "c": "ab", "d": "ac", "e": "ad"}, 3),
        (2, 1, {"b": "a", "c": "ab", "d": "abc", "e": "abd"}, 1),
        (0, 4, {"b": "a", "c": "ab", "d": "abc", "e": "abcd"}, 0),
    ],
)
def test_draws_at_ranks(first: int, near: int, drawn: dict[str, str], left_out: int) -> None:
    channel = make_channel(draws={"first": first, "near": near}, bands={"count": 1, "rows": 1})
    signatures = {(x, "words"): (7, 0) for x in "abcde"}
    signatures["z", "words"] = (8, 0)
    candidates, _, left = draw([channel], list("abcdze"), signatures)
    assert candidates == {(y, x) for x, ys in drawn.items() for y in ys}
    bucket = ("words", 0, xxhash.xxh64_intdigest(b"\x07\0\0\0", 0))
    assert left == ({bucket: left_out} if left_out else {})


def test_candidates_come_from_any_band_of_any_channel_but_only_from_the_same_one() -> None:
    channels = [make_channel("one"), make_channel("two")]
    signatures = {
        ("a", "one"): (1, 2, 3, 4),
        ("b", "one"): (9, 9, 3, 4),  # the second band of a
        ("c", "one"): (3, 4, 1, 2),  # a's bands, swapped
        ("c", "two"): (9, 9, 0, 0),  # b's first band in another channel
        ("d", "two"): (9, 9, 1, 1),
    }
    candidates, _, left = draw(channels, ["a", "b", "c", "d"], signatures)
    assert candidates == {("a", "b"), ("c", "d")} and not left


# --- Matches


def matched(*channels: dict[str, Any], one: tuple[Any, Any], two: tuple[Any, Any] = ((), ())) -> Edge | None:
    """The edge of x and y, which have these two token sets in channel one and in channel two."""
    tokens = {x: [frozenset(one[i]), frozenset(two[i])] for i, x in enumerate("xy")}
    signatures = {
        ("x", "one"): (1, 2, 3, 4),
        ("y", "one"): (1, 2, 9, 4),
        ("x", "two"): (5, 5, 5, 5),
        ("y", "two"): (6, 6, 6, 6),
    }
    return match(list(channels), tokens, signatures, "x", "y")


def test_match_rules_and_exact_thresholds() -> None:
    sets = ((1, 2, 3), (2, 3, 4))
    assert matched(make_channel("one", match=rule("0.5")), one=sets) == ("one", 2, 4)
    assert matched(make_channel("one", match=rule("0.500000001")), one=sets) is None
    assert matched(make_channel("one", match=rule("0.75", "agreement")), one=sets) == ("one", 3, 4)
    assert matched(make_channel("one", match=rule("0.76", "agreement")), one=sets) is None
    hundred = (tuple(range(55)), tuple(range(100)))  # in floats 0.55 * 100 is more than 55
    assert matched(make_channel("one", match=rule("0.55")), one=hundred) == ("one", 55, 100)


def test_min_agreeing_bands() -> None:
    sets = ((1, 2, 3), (2, 3, 4))  # (1, 2) agree, (3, 4) and (9, 4) do not
    assert matched(make_channel("one", match=rule("0.5", agreeing=1)), one=sets) == ("one", 2, 4)
    assert matched(make_channel("one", match=rule("0.5", agreeing=2)), one=sets) is None
    two = make_channel("two", match=rule("0.1"))
    first = make_channel("one", match=rule("0.5", agreeing=2))
    assert matched(first, two, one=sets, two=((1,), (1, 2))) == ("two", 1, 2)


def test_the_first_channel_that_accepts_gives_the_edge() -> None:
    one, two = make_channel("one", match=rule("0.5")), make_channel("two", match=rule("0.3"))
    equal, third = ((1,), (1,)), ((1, 2), (1, 3))
    assert matched(one, two, one=equal, two=equal) == ("one", 1, 1)
    assert matched(one, two, one=third, two=third) == ("two", 1, 3)
    assert matched(one, two, one=((), (1,)), two=equal) == ("two", 1, 1)  # passed over without features
    assert matched(one, two, one=((), ()), two=((), ())) is None


# --- Clusters


def clustered(
    sets: dict[str, Any], drawn: list[str], *channels: dict[str, Any]
) -> dict[str, tuple[str, str, int, int]]:
    """The heads of items in this order, when these pairs are drawn ("ab": a, then b).

    `sets` gives each item a token set, or one a channel where channels are given.
    """
    used = list(channels) or [make_channel(match=rule("0.5"))]
    tokens = {x: [frozenset(s) for s in (given if channels else (given,))] for x, given in sets.items()}
    signatures = {(x, c["name"]): (0, 0, 0, 0) for x in sets for c in used}
    edges = {}
    for earlier, later in map(tuple, drawn):
        edge = match(used, tokens, signatures, earlier, later)
        if edge:
            edges[earlier, later] = edge
    return cluster_by_heads(used, tokens, signatures, list(sets), edges)


def test_a_member_joins_the_head_of_what_it_matches_if_it_matches_that() -> None:
    sets = {"a": (1, 2, 3, 4), "b": (1, 2, 3, 5), "c": (1, 2, 3, 6)}
    assert clustered(sets, ["ab", "bc"])["c"] == ("a", "words", 3, 5)  # nobody drew (a, c): the head check
    far = sets | {"c": (1, 2, 5, 6)}  # 3/5 with b, 2/6 with a
    assert clustered(far, ["ab", "bc"])["c"] == ("c", "", 0, 0)
    assert clustered(sets, ["ab"])["c"] == ("c", "", 0, 0)  # without an edge no head is possible


def test_the_strongest_head_wins() -> None:
    sets = {"a": (1, 2, 3), "b": (3, 4, 5), "c": (2, 3, 4, 5)}  # 2/5 with a, 3/4 with b
    channel = make_channel(match=rule("0.4"))
    assert clustered({x: (s,) for x, s in sets.items()}, ["ac", "bc"], channel)["c"] == ("b", "words", 3, 4)


def test_ties_go_to_the_earliest_head() -> None:
    sets = {"b": (1, 2), "a": (3, 4), "c": (1, 2, 3, 4)}
    assert clustered(sets, ["ac", "bc"])["c"] == ("b", "words", 2, 4)
    # 1/2 and 2/4 tie although they are written otherwise
    unequal = {"b": (1, 2), "a": (3, 4, 5, 6), "c": (1, 2, 3, 4)}
    per_channel = {x: (s,) for x, s in unequal.items()}
    assert clustered(per_channel, ["bc", "ac"], make_channel(match=rule("0.3")))["c"] == (
        "b",
        "words",
        2,
        4,
    )


def test_an_earlier_channel_is_stronger_than_a_better_ratio() -> None:
    one, two = make_channel("one", match=rule("0.5")), make_channel("two", match=rule("0.5"))
    sets = {"a": ((9,), (1,)), "b": ((1, 2), (7,)), "c": ((1,), (1,))}  # a by two 1/1, b by one 1/2
    assert clustered(sets, ["ac", "bc"], one, two)["c"] == ("b", "one", 1, 2)


def test_a_head_check_may_use_any_channel() -> None:
    one, two = make_channel("one", match=rule("0.5")), make_channel("two", match=rule("0.5"))
    sets = {"a": ((1,), (5,)), "b": ((1,), (6,)), "c": ((2,), (5, 6))}
    assert clustered(sets, ["ab", "bc"], one, two)["c"] == ("a", "two", 1, 2)


def test_a_member_that_matches_two_clusters_does_not_merge_them() -> None:
    sets = {"a": (1, 2), "b": (3, 4), "c": (1, 2, 3), "d": (1, 3, 4)}
    heads = {x: c[0] for x, c in clustered(sets, ["ac", "ad", "bd", "cd"]).items()}
    assert heads == {"a": "a", "b": "b", "c": "a", "d": "b"}


def test_components() -> None:
    edges = {("a", "c"): ("w", 1, 2), ("b", "c"): ("w", 2, 3), ("d", "e"): ("w", 1, 1)}
    assert cluster_by_components(["a", "b", "c", "d", "e", "f"], edges) == {
        "a": ("a", "", 0, 0),
        "b": ("a", "", 0, 0),  # no edge to its head
        "c": ("a", "w", 1, 2),
        "d": ("d", "", 0, 0),
        "e": ("d", "w", 1, 1),
        "f": ("f", "", 0, 0),
    }


def test_priority_is_effective_time_then_version_time_then_id_bytes() -> None:
    def head(spec: dict[str, Any], *records: Record) -> str:
        clusters = expect(spec, records).clusters
        assert len({cluster[0] for cluster in clusters.values()}) == 1
        return next(iter(clusters.values()))[0]

    a, b = event("a", 60, "same"), event("b", 70, "same")
    assert head(make_spec(), (0, 0, 100, a), (1, 0, 50, b)) == "a"
    late = make_spec(max_lateness_ms=5)
    assert head(late, (0, 0, 100, a), (1, 0, 50, b)) == "b"  # a counts as of 95
    assert head(late, (0, 0, 100, a), (1, 0, 100, b)) == "a"  # both of 95: the version time
    assert head(late, (0, 0, 100, event("a", 80, "same")), (1, 0, 100, b)) == "b"
    equal = [event(id, 5, "same") for id in ("𝄞", "\uffee", "é", "z")]
    assert head(make_spec(), *((0, i, 0, value) for i, value in enumerate(equal))) == "z"
    assert head(make_spec(), *((0, i, 0, value) for i, value in enumerate(equal[:2]))) == "\uffee"


def test_both_cluster_rules_on_records() -> None:
    texts = ("one two three four", "one two three five", "one two five six")
    channel = make_channel(
        minhash={"permutations": 64, "seed": 1}, bands={"count": 64, "rows": 1}, match=rule("0.6")
    )
    records = log(*((0, event(id, 0, text)) for id, text in zip("abc", texts, strict=True)))
    heads = expect(make_spec(channel), records)
    assert heads.edges == {("a", "b"): ("words", 3, 5), ("b", "c"): ("words", 3, 5)}
    assert heads.clusters["c"] == ("c", "", 0, 0)
    components = expect(make_spec(channel, rule="components"), records)
    assert components.edges == heads.edges
    assert components.clusters["b"] == ("a", "words", 3, 5)
    assert components.clusters["c"] == ("a", "", 0, 0)


def test_an_item_without_features_is_alone() -> None:
    expected = expect(make_spec(), log((0, event("x", 1, "")), (0, event("y", 1, ""))))
    assert expected.clusters == {"x": ("x", "", 0, 0), "y": ("y", "", 0, 0)}
    assert not expected.signatures and not expected.edges


def test_a_crowded_bucket_needs_near_draws_and_the_head_check() -> None:
    """6 strangers, then 200 copies of one document, all in one bucket.

    The first draws alone find strangers only: 206 clusters. With the 4 nearest but joins by edges only, every
    fifth copy finds no head: 46. With the head check the copies find each other through their neighbours: 7.
    """
    words = [f"w{i}" for i in range(500)]
    least = min(words, key=lambda w: minhash(frozenset([xxhash.xxh64_intdigest(w.encode(), 42)]), 1, 1))
    words.remove(least)
    document = " ".join([least, *words[:20]])
    texts = [" ".join([least, *words[100 + 5 * i : 105 + 5 * i]]) for i in range(6)]
    texts += [f"{document} {words[200 + i]}" for i in range(200)]
    records = log(*((0, event(f"{i:03d}", i, text)) for i, text in enumerate(texts)))

    def crowd(near: int) -> Expected:
        channel = make_channel(
            minhash={"permutations": 1, "seed": 1},
            bands={"count": 1, "rows": 1},
            draws={"first": 4, "near": near},
            match=rule("0.7"),
        )
        spec = make_spec(channel) | {"limits": {"payload_bytes": 1000}}
        expected = expect(spec, records)
        assert len(expected.left_out) == 1
        return expected

    assert heads_of(crowd(near=0)) == 206
    expected = crowd(near=4)
    assert heads_of(expected) == 7
    by_edges_only: dict[str, str] = {}
    for x in sorted(expected.items):
        joined = [y for y in by_edges_only if (y, x) in expected.edges and by_edges_only[y] == y]
        by_edges_only[x] = joined[0] if joined else x
    assert len(set(by_edges_only.values())) == 46


def heads_of(expected: Expected) -> int:
    return len({cluster[0] for cluster in expected.clusters.values()})
