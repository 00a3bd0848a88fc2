"""Draws over a stream of bucket members, cut into batches anywhere."""

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.drawing import HOT, Drawing, describe
from batch.groups import whole_groups
from shared.spec import Channel, from_dict


def channels(*draws: tuple[int, int]) -> tuple[Channel, ...]:
    """Channels of two bands each with these draws."""
    return from_dict(
        {
            "name": "drawing",
            "channels": [
                {
                    "name": f"c{i}",
                    "extractor": "text.shingles",
                    "parameters": {"unit": "word", "size": 1},
                    "minhash": {"permutations": 2},
                    "bands": {"count": 2, "rows": 1},
                    "draws": {"first": first, "near": near},
                    "match": {"rule": "jaccard", "threshold": "0.5"},
                }
                for i, (first, near) in enumerate(draws)
            ],
        }
    ).channels


def naive(
    rows: list[tuple[int, int, int]], draws: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], dict[tuple[int, int], int]]:
    """(drawn pairs with repeats, sorted; what each bucket left out)."""
    buckets: dict[tuple[int, int], list[int]] = {}
    for slot, bucket, rank in rows:
        buckets.setdefault((slot, bucket), []).append(rank)
    pairs, left_out = [], {}
    for (slot, bucket), members in buckets.items():
        first, near = draws[slot // 2]
        drawn = [
            (members[i], members[j])
            for i in range(len(members))
            for j in range(i)
            if j < first or j >= i - near
        ]
        pairs += drawn
        left_out[slot, bucket] = len(members) * (len(members) - 1) // 2 - len(drawn)
    return sorted(pairs), left_out


def cut(count: int, rng: random.Random, most: int) -> list[int]:
    places = [0]
    while places[-1] < count:
        places.append(min(count, places[-1] + rng.randint(1, most)))
    return places


DRAWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3)


@given(draws=DRAWS, sizes=st.lists(st.integers(1, 25), max_size=12), seed=st.integers(0, 2**32))
def test_any_cut_draws_the_same(draws: list[tuple[int, int]], sizes: list[int], seed: int) -> None:
    rng = random.Random(seed)
    keys = sorted({(rng.randrange(2 * len(draws)), rng.randrange(-(2**63), 2**63)) for _ in sizes})
    rows = [
        (*key, rank)
        for key, size in zip(keys, sizes, strict=False)
        for rank in sorted(rng.sample(range(99), size))
    ]
    drawing = Drawing(channels(*draws))
    found: list[tuple[int, int]] = []
    places = cut(len(rows), rng, 9)
    for start, stop in itertools.pairwise(places):
        slot, bucket, rank = np.array(rows[start:stop], np.int64).T
        later, earlier = drawing.draw(slot, bucket, rank)
        found += zip(later.tolist(), earlier.tolist(), strict=True)
    drawing.finish()
    pairs, left_out = naive(rows, draws)
    assert sorted(found) == pairs
    assert drawing.buckets == len(left_out)
    assert drawing.left_out == sum(left_out.values())
    worst = sorted(((-n, slot, bucket % 2**64) for (slot, bucket), n in left_out.items() if n))[:HOT]
    assert [(-out, slot, value) for out, slot, value, _ in drawing.hot] == worst


@pytest.mark.parametrize("draws", [(4, 4), (0, 3), (2, 0), (0, 0), (1, 1)])
def test_one_bucket_of_20_000_members(draws: tuple[int, int]) -> None:
    rank = np.arange(20_000) * 3
    drawing = Drawing(channels(draws))
    found = []
    held = 0
    for start in range(0, len(rank), 137):
        part = rank[start : start + 137]
        found.append(np.stack(drawing.draw(np.full(len(part), 1), np.full(len(part), -7), part)))
        held = max(held, drawing._carried.shape[1])
    drawing.finish()
    first, near = draws
    expected = [
        (3 * i, 3 * j)
        for i in range(20_000)
        for j in sorted({*range(min(first, i)), *range(max(0, i - near), i)})
    ]
    assert sorted(zip(*np.concatenate(found, axis=1).tolist(), strict=True)) == expected
    assert held <= first + near
    all_pairs = 20_000 * 19_999 // 2
    assert drawing.left_out == all_pairs - len(expected)
    assert describe(channels(draws), drawing.hot[0]) == {
        "channel": "c0",
        "band": 1,
        "bucket": "fffffffffffffff9",
        "members": 20_000,
        "left_out": all_pairs - len(expected),
    }


@given(sizes=st.lists(st.integers(1, 9), max_size=20), seed=st.integers(0, 2**32))
def test_groups_stay_whole(sizes: list[int], seed: int) -> None:
    rng = random.Random(seed)
    keys = [(i // 3, f"k{i}", v) for i, size in enumerate(sizes) for v in range(size)]
    places = cut(len(keys), rng, 5)
    names = ["a", "b", "value"]
    batches = [
        pa.record_batch([list(column) for column in zip(*keys[start:stop], strict=True)], names=names)
        for start, stop in itertools.pairwise(places)
    ]
    tables = list(whole_groups(batches, ["a", "b"]))
    rows = [tuple(row.values()) for table in tables for row in table.to_pylist()]
    assert rows == keys
    groups = [{(row["a"], row["b"]) for row in table.to_pylist()} for table in tables]
    assert sum(map(len, groups)) == len(set().union(*groups)) == len(sizes)
