"""The oracle's records, times and tokens against cases worked out by hand."""

import hashlib
from typing import Any

import numpy as np
import pytest
import xxhash

from tests.hand_made import event, log, make_channel, make_spec
from tests.oracle import Expected, expect, match, minhash, shingle

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC_SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
UNUSABLE = "ff" * 32


def winner(expected: Expected, id: str = "x") -> tuple[Any, ...]:
    item = expected.items[id]
    return tuple(item[name] for name in ("op", "event_time", "version_time", "effective_time", "offset"))


# --- Records


BIG = 2**53


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not_json"),
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b'\xef\xbb\xbf{"id": "x", "op": "delete", "event_time": 1}', "not_json"),
        (b"[]", "not_json"),
        (b'"id op event_time"', "not_json"),
        (b'{"id": "x", "op": "delete", "event_time": NaN}', "not_json"),
        (b'{"id": "x", "op": "delete", "event_time": 1, "more": 1e400}', "not_json"),
        (b'{"id": "\\ud800", "op": "delete", "event_time": 1}', "not_json"),
        (b'{"id": "\\\\ud800", "op": "delete", "event_time": 1}', None),
        (b'{"id": "\\ud83d\\ude00", "op": "delete", "event_time": 1}', None),
        (b'{"id": "x", "op": "delete", "event_time": 1, "m": %b}' % nested(1023), None),
        (
            b'{"id": "x", "op": "delete", "event_time": 1, "m": ' + b"[" * 1024 + b"]" * 1024 + b"}",
            "not_json",
        ),
        (b'{"id": 1, "op": "neither"}', "missing_field"),
        (b'{"id": 1, "op": "neither", "event_time": "x"}', "id_invalid"),
        (b'{"id": null, "op": "delete", "event_time": 1}', "id_invalid"),
        (b'{"id": "", "op": "neither", "event_time": 1}', "id_invalid"),
        (b'{"id": "' + b"x" * 1025 + b'", "op": "neither", "event_time": 1}', "id_too_long"),
        (b'{"id": "' + b"\xc3\xa9" * 513 + b'", "op": "delete", "event_time": 1}', "id_too_long"),
        (b'{"id": "' + b"\xc3\xa9" * 512 + b'", "op": "delete", "event_time": 1}', None),
        (b'{"id": "x", "op": "Delete", "event_time": "x"}', "op_unknown"),
        (b'{"id": "x", "op": {}, "event_time": 1}', "op_unknown"),
        (event("x", BIG, None), None),
        (event("x", -BIG, None), None),
        (event("x", BIG + 1, None), "event_time_invalid"),
        (event("x", -BIG - 1, None), "event_time_invalid"),
        (b'{"id": "x", "op": "delete", "event_time": 1.0}', "event_time_invalid"),
        (b'{"id": "x", "op": "delete", "event_time": true}', "event_time_invalid"),
        (b'{"id": "x", "op": "delete", "event_time": "1"}', "event_time_invalid"),
    ],
)
def test_dead_letters(value: bytes | None, reason: str | None) -> None:
    expected = expect(make_spec(), [(3, 7, 0, value)])
    assert expected.dead == ({(3, 7): reason} if reason else {})
    assert len(expected.items) == (0 if reason else 1)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("members", "status", "digest"),
    [
        ({"payload": {"text": "abc"}}, "ok", ABC_SHA256),
        ({"payload": {"text": "abc", "sha256": 1, "note": "ignored"}}, "ok", ABC_SHA256),
        ({"payload": {"text": ""}}, "no_features", EMPTY_SHA256),
        ({"payload": {"text": "é" * 50}}, "ok", None),
        ({"payload": {"text": "é" * 50 + "x"}}, "payload_too_large", None),
        ({"payload": None}, "payload_invalid", UNUSABLE),
        ({"payload": {"text": None}}, "payload_invalid", UNUSABLE),
        (
            {"payload": {"uri": "é", "text": "a"}},
            "payload_invalid",
            UNUSABLE,
        ),
        ({"payload": {"vector": []}}, "payload_invalid", EMPTY_SHA256),
        (
            {"payload": {"vector": [1, -2.5]}},
            "payload_invalid",
            sha256(bytes.fromhex("000000000000f03f00000000000004c0")),
        ),
        (
            {"payload": {"vector": [True]}},
            "payload_invalid",
            UNUSABLE,
        ),
        ({"payload": {"uri": "file:///x", "sha256": "AB" * 32}}, "payload_invalid", "ab" * 32),
        (
            {"payload": {"uri": "u", "sha256": "AB" * 31}},
            "payload_invalid",
            UNUSABLE,
        ),
        ({"op": "delete", "payload": {"text": "abc"}}, "deleted", "00" * 32),
    ],
)
def test_payloads(members: dict[str, Any], status: str, digest: str | None) -> None:
    item = expect(make_spec(), log((0, event("x", 5, "", **members)))).items["x"]
    assert item["status"] == status
    assert digest is None or item["digest"] == digest


def test_an_item_has_features_if_any_channel_finds_some() -> None:
    characters = {"unit": "character", "size": 1, "normalise": "none", "casefold": False}
    channels = make_channel("words"), make_channel("characters", parameters=characters)
    expected = expect(make_spec(*channels), log((0, event("x", 5, "..."))))
    assert expected.items["x"]["status"] == "ok"
    assert set(expected.signatures) == {("x", "characters")}


def test_an_upsert_without_payload_is_invalid() -> None:
    expected = expect(make_spec(), log((0, b'{"id": "x", "op": "upsert", "event_time": 5}')))
    assert (expected.items["x"]["status"], expected.items["x"]["digest"]) == ("payload_invalid", UNUSABLE)
    assert not expected.clusters


def test_an_unusable_winner_leaves_the_index_but_keeps_its_row() -> None:
    values = event("x", 1, "abc"), event("x", 2, "abc", payload=7), event("y", 3, "abc")
    expected = expect(make_spec(), log(*((0, value) for value in values)))
    assert expected.items["x"]["status"] == "payload_invalid"
    assert expected.clusters == {"y": ("y", "", 0, 0)}
    assert set(expected.signatures) == {("y", "words")}


# --- Times and versions


def test_the_latest_event_wins_wherever_it_stands() -> None:
    assert winner(expect(make_spec(), log((0, event("x", 9, "new")), (1, event("x", 8, "old")))))[1] == 9


def test_a_delete_wins_over_an_upsert_of_its_time_alone() -> None:
    values = event("x", 5, None), event("x", 5, "abc")
    assert winner(expect(make_spec(), log((0, values[0]), (1, values[1])))) == ("delete", 5, 5, 5, 0)
    assert winner(expect(make_spec(), log((0, event("x", 6, "abc")), (1, values[0])))) == (
        "upsert",
        6,
        6,
        6,
        0,
    )


def test_the_greater_digest_wins_at_one_time() -> None:
    # sha256 of "a" begins with ca, of "b" with 3e
    expected = expect(make_spec(), log((0, event("x", 5, "a")), (1, event("x", 5, "b"))))
    assert expected.items["x"]["digest"].startswith("ca97") and expected.items["x"]["offset"] == 0


def test_of_repeats_the_least_append_and_position_counts() -> None:
    value = event("x", 5, "abc")
    records = [(1, 0, 40, value), (0, 3, 40, value), (0, 2, 50, value), (2, 9, 41, value)]
    item = expect(make_spec(), records).items["x"]
    assert (item["append_time"], item["partition"], item["offset"]) == (40, 0, 3)


def test_skew_bounds_the_version_time_from_above() -> None:
    records = log((100, event("x", 1000, "early bird")), (120, event("x", 105, "b")))
    assert winner(expect(make_spec(max_skew_ms=10), records)) == ("upsert", 1000, 110, 110, 0)
    records += [(0, 2, 200, event("x", 111, "c"))]
    assert winner(expect(make_spec(max_skew_ms=10), records)) == ("upsert", 111, 111, 111, 2)
    assert winner(expect(make_spec(), records)) == ("upsert", 1000, 1000, 1000, 0)


def test_ties_of_clamped_events() -> None:
    spec = make_spec(max_skew_ms=10)
    for times in ((900, 1000), (1000, 900)):
        same_text = log(*((100, event("x", time, "a")) for time in times))
        assert winner(expect(spec, same_text)) == ("upsert", 1000, 110, 110, times.index(1000))
    other_text = log((100, event("x", 1000, "b")), (100, event("x", 900, "a")))  # the digest goes first
    assert winner(expect(spec, other_text)) == ("upsert", 900, 110, 110, 1)
    with_delete = log((100, event("x", 1000, "a")), (100, event("x", 110, None)))
    assert winner(expect(spec, with_delete)) == ("delete", 110, 110, 110, 1)


def test_a_repeat_cannot_renew_a_clamped_event() -> None:
    clamped, other = event("x", 1000, "a"), event("x", 200, "b")
    first_append = log((100, clamped), (210, other), (500, clamped))
    expected = expect(make_spec(max_skew_ms=10), first_append)
    assert winner(expected) == ("upsert", 200, 200, 200, 1)
    assert expected.watermark == 510  # for the watermark the repeat counts
    # Without its first append the same event is another version: it wins.
    assert winner(expect(make_spec(max_skew_ms=10), first_append[1:])) == ("upsert", 1000, 510, 510, 2)


def test_lateness_bounds_the_effective_time_from_below() -> None:
    records = log((100, event("x", 50, "a")))
    assert winner(expect(make_spec(max_lateness_ms=10), records)) == ("upsert", 50, 50, 90, 0)
    assert winner(expect(make_spec(max_lateness_ms=60), records)) == ("upsert", 50, 50, 50, 0)
    both = log((100, event("x", 1000, "a")))
    assert winner(expect(make_spec(max_skew_ms=10, max_lateness_ms=5), both)) == ("upsert", 1000, 110, 110, 0)


def test_retention_counts_from_the_watermark() -> None:
    spec = make_spec(max_skew_ms=10, retention_ms=50)
    records = log(
        (149, event("gone", 149, "a")),
        (150, event("kept", 150, "a")),
        (150, event("tombstone kept", 150, None)),
        (149, event("tombstone gone", 149, None)),
        (190, event("edge", BIG, "b")),
        (195, event("late", 100, "c")),
    )
    expected = expect(spec, records)
    assert expected.watermark == 200
    assert set(expected.items) == {"kept", "tombstone kept", "edge"}
    assert set(expected.clusters) == {"kept", "edge"}


def test_a_repeat_may_move_the_watermark_past_its_own_event() -> None:
    value = event("x", 1000, "a")
    assert expect(make_spec(max_skew_ms=10, retention_ms=50), log((100, value), (150, value))).items
    assert not expect(make_spec(max_skew_ms=10, retention_ms=50), log((100, value), (151, value))).items


def test_the_watermark_of_no_event() -> None:
    assert expect(make_spec(), log((0, b"[]"))).watermark is None


def test_time_limits_without_append_times_are_refused() -> None:
    with pytest.raises(ValueError, match="append times"):
        expect(make_spec(max_skew_ms=10), log((-1, event("x", 5, "a"))))
    assert expect(make_spec(), log((-1, event("x", 5, "a")))).items["x"]["append_time"] == -1


def test_two_records_at_one_position_are_refused() -> None:
    with pytest.raises(ValueError, match="two different records"):
        expect(make_spec(), [(0, 0, 1, None), (0, 0, 2, None)])


# --- Tokens, signatures, buckets


@pytest.mark.parametrize(
    ("unit", "size", "normalise", "casefold", "text", "shingles"),
    [
        ("word", 2, "NFKC", True, "Foo, bar-BAZ!", ["foo bar", "bar baz"]),
        ("word", 2, "NFKC", False, "Foo, bar-BAZ!", ["Foo bar", "bar BAZ"]),
        ("word", 3, "NFKC", True, "two words", ["two words"]),
        ("word", 1, "NFKC", True, "a_b 7 a_b", ["a_b", "7"]),
        ("word", 1, "NFKC", True, " ... ", []),
        ("word", 1, "NFKC", True, "ﬁn ｏｎｅ x²", ["fin", "one", "x2"]),
        ("word", 1, "none", True, "ﬁn ｏｎｅ x²", ["fin", "ｏｎｅ", "x²"]),
        ("word", 1, "none", False, "ﬁn e\u0301t", ["ﬁn", "e\u0301t"]),
        ("word", 1, "NFKC", True, "नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("word", 1, "NFKC", True, "STRASSE straße", ["strasse"]),
        ("word", 1, "NFKC", True, "\u0390", ["\u0390"]),  # casefold decomposes it
        ("word", 1, "none", True, "\u0390", ["\u03b9\u0308\u0301"]),
        ("character", 2, "none", False, "  a\u3000\tb\x1f ", ["a ", " b"]),
        ("character", 5, "none", False, " a\nb ", ["a b"]),
        ("character", 1, "none", True, "aAa", ["a"]),
        ("character", 2, "none", False, "😀é", ["😀é"]),
        ("character", 2, "NFKC", False, "e\u0301x", ["éx"]),
        ("character", 2, "NFKC", False, "\u00a0", []),
        ("character", 2, "NFKC", False, "", []),
    ],
)
def test_shingles(
    unit: str, size: int, normalise: str, casefold: bool, text: str, shingles: list[str]
) -> None:
    parameters = {"unit": unit, "size": size, "normalise": normalise, "casefold": casefold}
    tokens = shingle(make_channel(parameters=parameters), text)
    assert tokens == {xxhash.xxh64_intdigest(s.encode(), 42) for s in shingles}


def test_xxh64_and_the_sketch_are_what_the_page_says() -> None:
    assert xxhash.xxh64_intdigest(b"abc", 0) == 0x44BC2CF5AD770999  # the reference implementation's vector
    random_state = np.random.RandomState(1)
    a = [int(v) * 2 + 1 for v in random_state.randint(0, 1 << 31, 3, dtype=np.uint32)]
    b = [int(v) for v in random_state.randint(0, 1 << 32, 3, dtype=np.uint32)]
    tokens = frozenset([5, 2**63 + 5, 0xFFFFFFFF12345678])
    low = [finalise(token % 2**32) for token in tokens]
    signature = tuple(min((a[i] * h + b[i]) % 2**32 for h in low) for i in range(3))
    assert minhash(tokens, 3, 1) == signature
    assert minhash(frozenset([5]), 3, 1) == minhash(frozenset([2**63 + 5]), 3, 1)  # low 32 bits only


def finalise(h: int) -> int:
    """MurmurHash3's 32-bit finaliser in exact integers."""
    h ^= h >> 16
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % 2**32
    return h ^ (h >> 16)


def test_exact_jaccard_uses_all_bits_of_the_tokens() -> None:
    tokens = {"x": [frozenset([5])], "y": [frozenset([2**32 + 5])]}
    signatures = {("x", "words"): (1, 1, 1, 1), ("y", "words"): (1, 1, 1, 1)}
    assert match([make_channel()], tokens, signatures, "x", "y") is None
