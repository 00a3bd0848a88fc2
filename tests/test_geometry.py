"""Rule `inliers`: shared/geometry.py against the oracle, on records that no picture would give too."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import geometry
from shared.errors import CrossfadeError
from tests import oracle_images
from tests.oracle_images import Feature, LocalRecord

CORNERS = (0, 1, 7, 15, 16, 17, 47, 48, 49, 127, 128, 129, 2560, 4094, 4095)


def record(plain: list[Feature], flipped: list[Feature] | None = None) -> LocalRecord:
    return LocalRecord(tuple(sorted(plain)), tuple(sorted(flipped or [])))


def as_numbers(one: LocalRecord) -> np.ndarray:
    return np.array(one.numbers(), np.uint64)


def count(a: LocalRecord, b: LocalRecord, least: int = 4) -> int:
    """By shared/geometry.py, the same both ways round."""
    one, other = as_numbers(a), as_numbers(b)
    values, offsets = np.concatenate([one, other]), np.array([0, len(one), len(one) + len(other)])
    found = geometry.count_inliers(values, offsets, np.array([0, 1]), np.array([1, 0]), least).tolist()
    assert found[0] == found[1]
    points, _ = geometry.matched_points(one, other)
    if found[0] >= least:
        assert len(points) == found[0]
    return int(found[0])


def check(a: LocalRecord, b: LocalRecord) -> int:
    expected = oracle_images.inliers(a, b)
    for least in (4, 10, 30):
        found = count(a, b, least)
        assert found == expected or max(found, expected) < least
    return expected


# --- Random records: hypothesis draws few numbers, a seeded generator the many.

FEATURE = st.builds(
    Feature,
    word=st.integers(0, 3) | st.sampled_from([2**20 - 1]),
    x=st.sampled_from(CORNERS) | st.integers(0, 4095),
    y=st.sampled_from(CORNERS) | st.integers(0, 4095),
    size=st.sampled_from([0, 8, 9, 48, 49, 255]) | st.integers(0, 255),
    angle=st.sampled_from([0, 85, 86, 512, 1023]) | st.integers(0, 1023),
)
FEATURES = st.lists(FEATURE, min_size=1, max_size=12)


@given(FEATURES, FEATURES)
def test_few_features_of_few_words(a: list[Feature], b: list[Feature]) -> None:
    check(record(a), record(b))


@given(
    seed=st.integers(0, 2**32),
    shape=st.sampled_from(["plane", "line", "point", "strip", "two planes"]),
    noise=st.sampled_from([0, 4, 30, 60, 130]),
    scale=st.sampled_from([0.02, 0.13, 0.5, 1.0, 2.0, 7.9, 8.2]),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    words=st.sampled_from([1, 8, 40, 2**20]),
    mirror=st.booleans(),
)
def test_a_scene_and_its_affine_view(
    seed: int, shape: str, noise: int, scale: float, share: float, words: int, mirror: bool
) -> None:
    check(*view(seed, shape, noise, scale, share, words, mirror))


def view(
    seed: int, shape: str, noise: int, scale: float, share: float, words: int, mirror: bool, n: int = 60
) -> tuple[LocalRecord, LocalRecord]:
    """Features of some shape, and where a turned, sheared and disturbed view has them."""
    rng = random.Random(f"{seed} {shape}")
    turn, shear = rng.random() * 2 * np.pi, rng.choice([0.0, 0.1, 0.7])
    affine = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine = affine @ np.array([[rng.choice([1, 1, -1]), shear], [0, 1]])
    a, b = [], []
    for k in range(rng.randint(3, n)):
        x, y = rng.randint(0, 2560), rng.randint(0, 2560)
        if shape == "line":
            y = x // 2
        elif shape == "point":
            x, y = 77, 991
        elif shape == "strip":
            y = 900 + y // 100
        u, v = affine @ (x - 1280, y - 1280) + 1280 + (300 if shape == "two planes" and k % 2 else 0)
        word, size, angle = rng.randrange(words), rng.randint(0, 120), rng.randrange(1024)
        a.append(Feature(word, x, y, size, angle))
        if rng.random() < share:
            x, y = rng.randint(0, 4095), rng.randint(0, 4095)
        else:
            x, y = (int(min(4095, max(0, place + rng.randint(-noise, noise)))) for place in (u, v))
        grown = round(16 * np.log2(scale)) + rng.choice([0, 0, 7, -8, 9])
        turned = round(turn * 1024 / (2 * np.pi)) + rng.choice([0, 3, 85, -86])
        b.append(Feature(word, x, y, min(255, max(0, size + grown)), (angle + turned) % 1024))
    flipped = [f._replace(x=2560 - f.x, angle=(512 - f.angle) % 1024) for f in a if f.x <= 2560]
    other = [f._replace(x=max(0, 2560 - f.x), angle=(512 - f.angle) % 1024) for f in b]
    return (record(a, flipped or a), record(b, other)) if mirror else (record(a), record(b))


def test_the_views_are_rich_enough() -> None:
    """Of 400 seeded views a good share has inliers, few and many, of either orientation."""
    rng = random.Random(4)
    found = []
    for seed in range(400):
        shape = rng.choice(["plane", "plane", "strip", "two planes"])
        scale = rng.choice([0.13, 0.5, 1.0, 1.0, 2.0, 7.9])
        noise, share = rng.choice([0, 4, 30, 60]), rng.choice([0.0, 0.2, 0.5])
        found.append(check(*view(seed, shape, noise, scale, share, rng.choice([40, 2**20]), seed % 2 == 1)))
    assert sum(n >= 4 for n in found) >= 80 and sum(n >= 30 for n in found) >= 20
    assert sum(n == 0 for n in found) >= 50


@pytest.mark.slow
def test_views_of_many_features() -> None:
    rng = random.Random(5)
    for seed in range(300):
        words, n = rng.choice([20, 150, 400, 2**20]), rng.choice([130, 260, 500, 1300])
        scale, noise = rng.choice([0.5, 1.0, 1.3]), rng.choice([0, 10, 40])
        check(*view(seed, "plane", noise, scale, rng.random(), words, seed % 3 == 0, n))


# --- Cases by hand


def grid(n: int, step: int = 60) -> list[Feature]:
    """n features on a square grid, each with a word of its own."""
    side = math.isqrt(n - 1) + 1
    return [Feature(37 * k, k % side * step, k // side * step, 40, 7 * k % 1024) for k in range(n)]


def moved(features: list[Feature], dx: int = 0, dy: int = 0, **fields: int) -> list[Feature]:
    return [f._replace(x=f.x + dx, y=f.y + dy, **fields) for f in features]


def test_a_picture_matches_itself_feature_by_feature() -> None:
    own = record(grid(500))
    assert check(own, own) == 500


@pytest.mark.parametrize("n", [16, 127, 128, 129, 255, 256, 257, 1023, 1024])
def test_all_of_n_features(n: int) -> None:
    assert check(record(grid(n)), record(moved(grid(n), 200, 100))) == n


@pytest.mark.parametrize(("apart", "matches"), [(127, False), (129, True)])
def test_inliers_in_a_line_of_text_do_not_count(apart: int, matches: bool) -> None:
    rows = [Feature(k, 300 + 40 * (k // 2), 500 + apart * (k % 2), 100, 0) for k in range(60)]
    assert (float(np.std([f.y for f in rows])) >= 64) == matches
    assert (check(record(rows), record(moved(rows, 200, 100))) == 60) == matches


@pytest.mark.parametrize(("step", "matches"), [(30, False), (60, True)])
def test_inliers_in_a_small_place_do_not_count(step: int, matches: bool) -> None:
    """A logo, narrow in every direction: 25 features, whose places vary by 42 or 85 steps."""
    rows = [Feature(k, 300 + step * (k % 5), 500 + step * (k // 5), 100, 0) for k in range(25)]
    assert (check(record(rows), record(moved(rows, 200, 100))) == 25) == matches


def crowd(rng: random.Random) -> tuple[LocalRecord, LocalRecord]:
    """Some 20 features that a turned and scaled crop shows again, in pictures full of others."""
    scale, turn = rng.choice([0.5, 1.0, 2.0]), rng.choice([0, 130, 256, 700])
    cos, sin = (scale * f(turn * math.tau / 1024) for f in (math.cos, math.sin))
    middle = {"x": rng.randint(600, 2000), "y": rng.randint(500, 1500)}
    half = rng.randint(300, 500)
    a, b = [], []
    for k in range(rng.randint(12, 30)):
        dx, dy = rng.randint(-half, half), rng.randint(-half, half)
        a.append(Feature(k, middle["x"] + dx, middle["y"] + dy, 100, 0))
        u, v = round(cos * dx - sin * dy) + 1500, round(sin * dx + cos * dy) + 1500
        b.append(Feature(k, u, v, 100 + round(16 * math.log2(scale)), turn))
    for features, word in ((a, 1000), (b, 10_000)):
        width, height = rng.randint(1800, 2560), rng.randint(1500, 2560)
        features += [
            Feature(word + k, rng.randint(0, width), rng.randint(0, height), 100, 0)
            for k in range(rng.choice([100, 700, 1500, 2500]))
        ]
    return record(a), record(b)


def test_inliers_are_a_share_of_the_features_that_lie_in_both_pictures() -> None:
    """120 pairs: often the one picture has too many others beside the inliers and the other has not."""
    rng = random.Random(9)
    pairs = [crowd(rng) for _ in range(120)]
    found = [oracle_images.inliers(a, b) > 0 for a, b in pairs]
    assert found == [count(a, b) > 0 for a, b in pairs]
    assert 30 <= sum(found) <= 90
    # What decides is in which picture there are fewer: not the total, not always that of the same one.
    few = [len(a.plain) < len(b.plain) for a, b in pairs]
    for fewer_in_a in (True, False):
        mixed = {matches for matches, less in zip(found, few, strict=True) if less == fewer_in_a}
        assert mixed == {True, False}


@pytest.mark.parametrize(("others", "matches"), [(380, True), (381, False)])
def test_inliers_are_a_share_of_what_lies_in_both_pictures(others: int, matches: bool) -> None:
    rng = random.Random(1)
    shown = [Feature(k, 100 + 90 * (k % 5), 100 + 150 * (k // 5), 100, 0) for k in range(20)]

    def with_others(first: int) -> list[Feature]:
        more = [(rng.randrange(60, 500), rng.randrange(60, 580)) for _ in range(others)]
        return shown + [Feature(first + k, x, y, 100, 0) for k, (x, y) in enumerate(more)]

    found = check(record(with_others(1000)), record(with_others(2000)))
    assert (found == 20) == matches


def test_three_features_are_no_match() -> None:
    assert check(record(grid(3)), record(grid(3))) == 0


def test_of_more_than_1024_correspondences_the_first_words_count() -> None:
    a, b = record(grid(1200)), record(moved(grid(1200), 3, 4))
    assert check(a, b) == 1024


def test_a_word_with_more_than_nine_pairs_is_passed_over() -> None:
    base = grid(20)
    nine = [Feature(2**20 - 1, 400 + 300 * k, 1500, 40, 0) for k in range(3)]
    ten = [Feature(2**20 - 1, 400 + 300 * k, 1500, 40, 0) for k in range(5)]
    assert check(record(base + nine), record(base + nine)) == 23
    assert check(record(base + ten), record(base + ten[:2])) == 20


def test_a_word_that_would_exceed_the_limit_is_passed_over_and_later_ones_are_not() -> None:
    singles = [f._replace(word=k) for k, f in enumerate(grid(1020))]
    three = [Feature(1020, 500 * k, 2000, 40, 0) for k in range(3)]  # nine pairs: over 1,024
    last = [Feature(1021 + k, 700 * k, 2200, 40, 0) for k in range(6)]  # four of these still fit
    own = record(singles + three + last)
    assert check(own, own) == 1024
    assert check(record(three + last), record(three + last)) == 9


def test_one_word_in_a_whole_picture_is_no_match() -> None:
    own = record([f._replace(word=7) for f in grid(500)])
    assert check(own, own) == 0


def test_features_on_a_line_are_no_match() -> None:
    own = record([Feature(k, 80 * k, 40 * k, 40, 0) for k in range(30)])
    assert check(own, own) == 0


def test_features_at_one_point_are_no_match() -> None:
    own = record([Feature(k, 800, 400, 40, 0) for k in range(30)])
    assert check(own, own) == 0


def test_two_features_at_one_place_are_two() -> None:
    """SIFT gives a place two features where it has two directions."""
    features = grid(20) + [f._replace(word=f.word + 1, angle=(f.angle + 300) % 1024) for f in grid(20)]
    assert check(record(features), record(moved(features, 9, 9))) == 40


def test_a_feature_counts_once_however_many_it_could_match() -> None:
    a, b = grid(20), grid(20)
    b += moved(b, 1, 1)  # every word is there twice
    assert check(record(a), record(b)) == 20


def test_a_feature_that_two_records_hold_twice_counts_twice() -> None:
    a = grid(20) + grid(3)
    assert check(record(a), record(a)) == 23


@pytest.mark.parametrize(("off", "inlier"), [(48, True), (49, False), (-48, True), (-49, False)])
def test_an_inlier_is_within_six_pixels(off: int, inlier: bool) -> None:
    """Many features hold the map in place; one is off."""
    a = grid(999)
    b = [f._replace(x=f.x + 300, y=f.y + 300) for f in a]
    b[520] = b[520]._replace(x=b[520].x + off)  # in the middle: the map is moved by off / 999
    expected = check(record(a), record(b))
    assert expected in ((999,) if inlier else (998,))


@pytest.mark.parametrize(
    ("growth", "turn", "matches"),
    [(0, 0, True), (48, 0, True), (49, 0, False), (-48, 0, True), (-49, 0, False), (0, 700, True)],
)
def test_a_proposal_is_of_three_octaves_at_most(growth: int, turn: int, matches: bool) -> None:
    step = 75 if growth >= 0 else 600  # in both pictures more than _SPREAD, and less than 12 bits
    a = [Feature(k, 2048 + (k % 6 - 3) * step, 2048 + (k // 6 - 3) * step, 100, 0) for k in range(36)]
    angle, scale = turn * 2 * np.pi / 1024, 2 ** (growth / 16)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    b = []
    for f in a:
        x, y = f.x - 2048, f.y - 2048
        u, v = round(cos * x - sin * y) + 2048, round(sin * x + cos * y) + 2048
        b.append(f._replace(x=u, y=v, size=100 + growth, angle=turn))
    assert (check(record(a), record(b)) == 36) == matches


def test_mirrored_scenes_match_by_their_flipped_features_alone() -> None:
    a = grid(100)
    flip = [f._replace(x=2560 - f.x, angle=(512 - f.angle) % 1024) for f in a]
    other = [f._replace(word=f.word + 5) for f in a]
    one, another = record(a, other), record(flip, a)
    assert {check(record(a), record(flip)), check(one, another)} <= {0, 100}
    assert check(record(a, flip), record(flip, a)) == 100
    points, flipped = geometry.matched_points(as_numbers(record(a, flip)), as_numbers(record(flip, a)))
    assert flipped and len(points) == 100


@pytest.mark.parametrize(("plain", "flipped"), [(20, 21), (20, 20), (21, 20)])
def test_of_both_ways_round_the_one_with_more_inliers_counts(plain: int, flipped: int) -> None:
    a = [f._replace(word=f.word + 50_000) for f in grid(plain)]
    other = [f._replace(word=f.word + 90_000) for f in grid(flipped)]
    b = moved(a, 100, 50) + moved(other, 1500, 700)
    one, another = record(a, other), record(b, grid(25))
    assert one.numbers() < another.numbers()
    assert check(one, another) == max(plain, flipped)
    _, by_mirror = geometry.matched_points(as_numbers(one), as_numbers(another))
    assert by_mirror == (flipped > plain)


@pytest.mark.parametrize(("n", "found"), [(253, True), (254, True), (255, True), (256, False), (257, False)])
def test_of_256_correspondences_every_second_proposes(n: int, found: bool) -> None:
    """The scene is in every second of them, the others are strewn about: from 256 on none of it proposes."""
    rng = random.Random(n)
    a, b = [], []
    for k, f in enumerate(grid(n)):
        feature = f._replace(word=k)
        a.append(feature)
        strewn = {
            "x": rng.randrange(4096),
            "y": rng.randrange(4096),
            "size": 200,
            "angle": rng.randrange(1024),
        }
        b.append(feature._replace(**({"x": f.x + 90} if k % 2 else strewn)))
    assert (check(record(a), record(b)) >= n // 2) == found


def test_matched_points_are_the_pairs_of_places() -> None:
    a, b = record(grid(50)), record(moved(grid(50), 211, 97))
    for one, other, sign in ((a, b, 1), (b, a, -1)):
        points, flipped = geometry.matched_points(as_numbers(one), as_numbers(other))
        assert not flipped
        assert (points[:, 2:] - points[:, :2] == [sign * 211, sign * 97]).all() and len(points) == 50


def test_many_pairs_at_once_are_each_as_alone() -> None:
    records = [view(seed, "plane", 10, 1.0, 0.3, 60, False)[seed % 2] for seed in range(8)]
    parts = [as_numbers(one) for one in records]
    offsets = np.cumsum([0, *map(len, parts)])
    pairs = list(itertools.product(range(8), repeat=2))
    left, right = np.array(pairs).T
    found = geometry.count_inliers(np.concatenate(parts), offsets, left, right, 4)
    assert found.tolist() == [oracle_images.inliers(records[i], records[j]) for i, j in pairs]
    assert len(geometry.count_inliers(np.concatenate(parts), offsets, left[:0], right[:0], 4)) == 0


def test_a_record_of_another_version_is_refused() -> None:
    one = as_numbers(record(grid(20)))
    other = one.copy()
    other[0] += np.uint64(1 << 32)
    values, offsets = np.concatenate([one, other]), np.array([0, len(one), 2 * len(one)])
    with pytest.raises(
        CrossfadeError, match=r"version \[1, 2\] were found and this crossfade reads version 1"
    ):
        geometry.count_inliers(values, offsets, np.array([0]), np.array([1]), 4)
    with pytest.raises(CrossfadeError, match="make the run or the state again"):
        geometry.matched_points(other, other)
    assert geometry.count_inliers(values, offsets, np.array([0]), np.array([0]), 4).tolist() == [20]


def test_packing_keeps_every_field() -> None:
    class Local:
        x, y = np.array([4095, 0]), np.array([4095, 0])
        size, angle = np.array([255, 0]), np.array([1023, 0])

    packed = geometry.pack(np.array([2**20 - 1, 0]), Local())  # type: ignore[arg-type]
    top = oracle_images.number(Feature(2**20 - 1, 4095, 4095, 255, 1023))
    assert packed.tolist() == [0, top] and top == 2**62 - 1
