"""Faults in code of the index: buckets, draws, matches and clusters."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

import shared.events
import shared.lsh
import shared.minhash
import shared.similarity
import shared.sketch
import shared.versions
import stream.index
import stream.microbatch
import stream.settle
import stream.state
from bench.faults.patches import Around, Patch, around, code, constant, method
from parity.faults import Fault
from shared.heads import BECOMES_HEAD, UNDECIDED, UNKNOWN, key_id
from shared.similarity import NO_MATCH, Matches
from shared.spec import Bands
from stream.postings import Bucket


def _buckets(change: Callable[[Any, Bands], Any]) -> Callable[[], Patch]:
    return around(
        shared.lsh,
        "buckets",
        lambda original, signatures, bands: change(partial(original, signatures), bands),
    )


def _draws(change: Callable[[Around, int, int, int], tuple[int, int]]) -> Callable[[], Patch]:
    return around(shared.lsh, "draw_bounds", change)


def _nearest_left_out(original: Around, rank: int, first: int, near: int) -> tuple[int, int]:
    """Near draws begin one further off and end one too early, in effect: the nearest is not drawn."""
    end, start = original(rank, first, near)
    return end, min(rank, start + 1)


def _ties_reversed(effective_time: int, version_time: int, item: bytes) -> bytes:
    """Times decide as ever, then the greatest id: of its first two bytes the complement."""
    turned = version_time << 16 | 0xFFFF - int.from_bytes(item[:2].ljust(2, b"\0"), "big")
    high = ((effective_time + 2**47) << 64) | (turned + 2**63)
    return high.to_bytes(16, "big") + item


def _by_version_time(effective_time: int, version_time: int, item: bytes) -> bytes:
    return ((version_time + 2**63) << 64 | (version_time + 2**63)).to_bytes(16, "big") + item


def _one_before_its_time(original: Around, effective_time: int, version_time: int, item: bytes) -> bytes:
    return original(effective_time - (10**7 if item == b"e03" else 0), version_time, item)  # type: ignore[no-any-return]


def _stays(original: Around, bucket: Bucket, key: bytes) -> int | None:
    """What is deleted or edited leaves its old entries; it is in its buckets twice, or should be in none."""
    return bucket.rank(key)


def _one_stays(original: Around, bucket: Bucket, key: bytes) -> int | None:
    return bucket.rank(key) if key_id(key) == b"f00" else original(key)


def _probe_again(when_inserting: bool) -> Callable[[], Patch]:
    def probe(original: Around, index: Any, keys: Any, inserted: Any = None) -> None:
        if (inserted is not None) != when_inserting:
            original(keys, inserted)

    return method(stream.index.Index, "_probe_again", probe)


def _accepts_more_than(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    """> where it must be >=."""
    p, q = channel.match.fraction.as_integer_ratio()
    return np.asarray(numerator * q > p * denominator)


def _accepts_in_floats(original: Around, channel: Any, numerator: Any, denominator: Any) -> Any:
    ratio = numerator.astype(np.float32) / denominator.astype(np.float32)
    return np.asarray(ratio >= np.float64(channel.match.threshold))


def _union_off_by_one(original: Around, channel: Any, *arguments: Any) -> Any:
    numerator, denominator = original(channel, *arguments)
    return numerator, denominator + (channel.match.rule == "jaccard")


def _channels_reversed(original: Around, channels: Any, features: Any, left: Any, right: Any) -> Matches:
    found = original(channels[::-1], features[::-1], left, right)
    turned = np.where(found.channel == NO_MATCH, NO_MATCH, len(channels) - 1 - found.channel)
    return Matches(turned.astype(np.int8), found.numerator, found.denominator)


def _last_channel_only(original: Around, channels: Any, features: Any, left: Any, right: Any) -> Matches:
    return original(channels[:1], features[:1], left, right)  # type: ignore[no-any-return]


def _decide(choose: Callable[[int, list[tuple[int, int, int]]], int]) -> Callable[[], Patch]:
    """The stream decides by `choose(item, matches)`, the place of one (channel, numerator, denominator)."""

    def decide(starts: Any, channel: Any, numerator: Any, denominator: Any) -> Any:
        chosen = np.full(len(starts) - 1, BECOMES_HEAD, np.int64)
        for i in range(len(chosen)):
            rows = range(starts[i], starts[i + 1])
            if any(channel[row] == UNKNOWN for row in rows):
                chosen[i] = UNDECIDED
                continue
            good = [row for row in rows if channel[row] != NO_MATCH]
            if good:
                found = [(int(channel[r]), int(numerator[r]), int(denominator[r])) for r in good]
                chosen[i] = good[choose(i, found)]
        return chosen

    return lambda: mock.patch.object(stream.settle, "decide", decide)


def _strength(match: tuple[int, int, int]) -> tuple[int, float]:
    return -match[0], match[1] / match[2]


def _last_of_the_strongest(item: int, matches: list[tuple[int, int, int]]) -> int:
    best = max(map(_strength, matches))
    return max(place for place, match in enumerate(matches) if _strength(match) == best)


def _no_head_checks(original: Around, starts: Any, pairs: Sequence[Any], known: dict[Any, Any]) -> Any:
    return original(starts, pairs, {pair: known.get(pair) for pair in pairs})


def _one_round(original: Around, index: Any, dirty: set[bytes]) -> set[bytes]:
    """Who has edges to an item whose head changed is not asked again."""
    with mock.patch.object(index, "later", lambda key: []):
        return original(index, dirty)  # type: ignore[no-any-return]


def _not_after_deletes(original: Around, index: Any, dirty: set[bytes]) -> set[bytes]:
    """What a deleted head's members are is not asked again."""
    return original(index, dirty) if index._new else set()


BUCKET_FAULTS: Sequence[Fault] = (
    code(
        "bands and rows exchanged",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(Bands(count=bands.rows, rows=bands.count))),
    ),
    code(
        "bucket values with another seed",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands) ^ np.uint64(1)),
    ),
    code(
        "bucket values went through a float",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands).astype(np.float32).astype(np.uint64)),
    ),
    code(
        "the last band is left out",
        "bucket",
        "wrong",
        _buckets(lambda original, bands: original(bands)[:, :-1]),
    ),
    code(
        "what was deleted or edited stays in its buckets",
        "bucket",
        "extra",
        method(Bucket, "remove", _stays),
    ),
    code("one stays in its buckets", "bucket", "extra", method(Bucket, "remove", _one_stays), roots=1),
    code(
        "the first draws are one too few",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first - 1, near)),
    ),
    code(
        "the near draws are one too few",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first, near - 1)),
    ),
    code(
        "the near draws are one too many",
        "candidate",
        "wrong",
        _draws(lambda original, rank, first, near: original(rank, first, near + 1)),
    ),
    code("the nearest is not drawn", "candidate", "wrong", _draws(_nearest_left_out)),
    code(
        "priority: ties broken the other way",
        "candidate",
        "wrong",
        constant(stream.state, "priority_key", _ties_reversed),
    ),
    code(
        "priority by version time",
        "candidate",
        "wrong",
        constant(stream.state, "priority_key", _by_version_time),
    ),
    code(
        "the priority of one item is another",
        "candidate",
        "wrong",
        around(stream.state, "priority_key", _one_before_its_time),
    ),
    code("members behind a late one do not draw again", "candidate", "wrong", _probe_again(True)),
    code("members behind a deleted one do not draw again", "candidate", "wrong", _probe_again(False)),
)


THRESHOLD_FAULTS: Sequence[Fault] = (
    code("> in place of >=", "match", "wrong", around(shared.similarity, "_accepts", _accepts_more_than)),
    code(
        "thresholds compared as floats",
        "match",
        "wrong",
        around(shared.similarity, "_accepts", _accepts_in_floats),
    ),
    code("unions one too large", "match", "wrong", around(shared.similarity, "_measure", _union_off_by_one)),
)

MATCH_FAULTS: Sequence[Fault] = (
    code(
        "channels asked in the other order",
        "match",
        "wrong",
        around(stream.index, "verify", _channels_reversed),
    ),
    code(
        "the second channel is not asked",
        "match",
        "missing",
        around(stream.index, "verify", _last_channel_only),
    ),
    code(
        "min_agreeing_bands is ignored",
        "match",
        "extra",
        around(
            shared.similarity, "_agreeing_bands", lambda original, c, f, left, right: np.full(len(left), 99)
        ),
    ),
)

CLUSTER_FAULTS: Sequence[Fault] = (
    code("the head check is skipped", "cluster", "wrong", around(stream.settle, "_choose", _no_head_checks)),
    code("ties go to the latest head", "cluster", "wrong", _decide(_last_of_the_strongest)),
    code("the earliest head instead of the strongest", "cluster", "wrong", _decide(lambda item, matches: 0)),
    code(
        "the weakest head",
        "cluster",
        "wrong",
        _decide(lambda item, matches: min(range(len(matches)), key=lambda i: _strength(matches[i]))),
    ),
    code(
        "one round and no more: heads taken late",
        "cluster",
        "wrong",
        around(stream.microbatch, "settle", _one_round),
    ),
    code(
        "members of a deleted head keep it",
        "cluster",
        "wrong",
        around(stream.microbatch, "settle", _not_after_deletes),
    ),
)
