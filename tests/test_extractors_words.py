"""`image.words` and `image.word_pairs` against the oracle, and pictures that would break them."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared import codebook, geometry
from shared.contract import contract_id
from shared.errors import CrossfadeError, SpecError
from shared.extractors import make, sift
from shared.extractors.words import VisualWords, _neighbours
from shared.spec import from_dict, load, to_dict
from tests import oracle_images
from tests.images import Pixels, scene, uniform

SHIPPED = ("astronaut", "coffee", "chelsea", "camera", "text", "brick", "gravel", "motorcycle_left")
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"mirror": True},
    {"side": 64, "count": 16, "min_count": 1},
    {"side": 333, "count": 37, "mirror": True},
    {"side": 480, "count": 900},
)


@cache
def shipped(name: str) -> Pixels:
    """A picture that ships with scikit-image."""
    return np.asarray(Image.open(Path(skimage.data.__file__).parent / f"{name}.png").convert("RGB"))


def extract(picture: Pixels, name: str = "image.words", **settings: Any) -> tuple[list[int], bytes]:
    found = make(name, settings).extract([picture])
    assert found.ok.tolist() == [True] and found.bits is None and found.records is not None
    assert found.offsets.tolist() == [0, len(found.tokens)]
    return found.tokens.tolist(), found.records[0].as_py()


def check(picture: Pixels, name: str, settings: dict[str, Any]) -> int:
    """Number of features; tokens and record must be the oracle's."""
    tokens, record = extract(picture, name, **settings)
    expected, evidence = oracle_images.local(name, settings, Image.fromarray(picture))
    assert tokens == sorted(expected)
    numbers = [] if evidence is None else evidence.numbers()
    assert np.frombuffer(record, "<u8").tolist() == numbers
    return len(evidence.plain) if evidence else 0


@pytest.mark.parametrize("name", SHIPPED)
def test_real_pictures_are_as_the_oracle_says(name: str) -> None:
    assert check(shipped(name), "image.words", SETTINGS[0]) >= 20
    assert check(shipped(name), "image.word_pairs", SETTINGS[1]) >= 20


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", ["image.words", "image.word_pairs"])
def test_settings_are_as_the_oracle_says(name: str, settings: dict[str, Any]) -> None:
    assert check(shipped("chelsea"), name, settings) >= 16
    check(scene(5), name, settings)


@pytest.mark.parametrize("neighbours", [1, 2, 16])
def test_neighbours_are_as_the_oracle_says(neighbours: int) -> None:
    settings = {"neighbours": neighbours, "count": 200}
    for picture in (
        shipped("coffee"),
        checkerboard(10),
        dots(),
    ):  # equal distances are common in the last two
        assert check(picture, "image.word_pairs", settings) == 200


def test_descriptors_of_extremes() -> None:
    """Nothing, one number alone, all alike, and between them."""
    rows = np.zeros((5, 128), np.float32)
    rows[1, 7], rows[2], rows[3, :3], rows[4, :5] = 255, 255, (255, 85, 1), (63, 64, 65, 0, 62)
    found = sift._root(rows)
    assert [tuple(row) for row in found.tolist()] == [oracle_images.root(row) for row in rows]
    assert found.max(axis=1).tolist() == [0, 255, 45, 255, 255]


SMALL = st.tuples(*(st.sampled_from([0, 8, 16, 17, 24, 40]),) * 2, st.sampled_from([0, 8, 9, 16, 17]))


@given(st.lists(SMALL, min_size=1, max_size=12), st.integers(1, 5))
def test_neighbours_of_features_on_a_small_grid(features: list[tuple[int, int, int]], count: int) -> None:
    """Equal distances, and all the limits of near, apart and similar in size."""
    x, y, size = np.array(features, np.int64).T
    near = _neighbours(np.ascontiguousarray(x), np.ascontiguousarray(y), np.ascontiguousarray(size), count)
    named = [oracle_images.Feature(k, a, b, c, 0) for k, (a, b, c) in enumerate(features)]
    expected = list(oracle_images.pairs(named, count))
    found = [(min(i, int(k)), max(i, int(k))) for i, row in enumerate(near) for k in row if k >= 0]
    assert found == expected


# --- Hostile pictures


def checkerboard(square: int, side: int = 320) -> Pixels:
    y, x = np.mgrid[:side, :side]
    return np.repeat(((y // square + x // square & 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def dots(side: int = 640) -> Pixels:
    y, x = np.mgrid[:side, :side]
    return np.repeat(((y % 20 < 5) & (x % 20 < 5))[..., None] * np.uint8(255), 3, axis=2)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


HOSTILE: dict[str, tuple[Callable[[], Pixels], bool]] = {  # whether it has features
    "one line": (lambda: noise(1, 100_000), False),
    "one column": (lambda: noise(100_000, 1), False),
    "a ribbon": (lambda: noise(64, 30_000), False),  # one pixel high once it is scaled
    "a pole": (lambda: noise(30_000, 64), False),
    "two pixels high": (lambda: noise(64, 10_000), False),
    "eight pixels high": (lambda: noise(64, 2_500), False),
    "one pixel": (lambda: noise(1, 1), False),
    "a side too short": (lambda: noise(63, 500), False),
    "the shortest": (lambda: noise(64, 64), True),
    "white": (lambda: uniform(255, 500, 500), False),
    "black": (lambda: uniform(0, 64, 64), False),
    "checks of 5 pixels": (lambda: checkerboard(5), True),
    "checks of 10 pixels": (lambda: checkerboard(10), True),
    "checks of 16 pixels": (lambda: checkerboard(16, 640), True),
    "one check": (lambda: checkerboard(160), False),
    "1,024 equal dots": (dots, True),
    "large noise": (lambda: noise(600, 600), True),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pictures_are_as_the_oracle_says_and_bounded(name: str) -> None:
    make_picture, has_features = HOSTILE[name]
    picture = make_picture()
    settings = {"mirror": True}
    features = check(picture, "image.words", settings)
    assert (features > 0) == has_features and features <= 400
    check(picture, "image.word_pairs", settings)


def test_of_thousands_of_equal_features_the_first_by_place_are_kept() -> None:
    """SIFT keeps all that are as strong as the last, in an order of its own."""
    grey = sift._grey(dots(), 320)
    found = sift._cv2().SIFT_create(nfeatures=480, contrastThreshold=0.01).detect(grey, None)
    strengths = [p.response * p.size for p in found]
    stronger = sum(strength > min(strengths) for strength in strengths)
    equal = sorted(
        tuple(round(8 * place) for place in p.pt) for p in found if p.response * p.size == min(strengths)
    )
    features = sift.detect(dots(), 320, 400)
    assert len(equal) > 3000 and stronger < 300 and len(features) == 400
    kept = list(zip(features.x.tolist(), features.y.tolist(), strict=True))
    assert kept[stronger:] == equal[: 400 - stronger]


def test_a_picture_of_repeated_words_has_a_record_and_matches_nothing() -> None:
    """Its twelve tokens are in many buckets' way, but no pair of its features counts."""
    tokens, record = extract(dots())
    own = np.frombuffer(record, "<u8")
    assert len(own) == 401 and len(tokens) < 30
    assert oracle_count(own, own) == len(geometry.matched_points(own, own)[0]) < 10


def oracle_count(a: np.ndarray, b: np.ndarray) -> int:
    one, other = (read_record(numbers.tolist()) for numbers in (a, b))
    return oracle_images.inliers(one, other)


def read_record(numbers: list[int]) -> oracle_images.LocalRecord:
    features = [
        oracle_images.Feature(n >> 42, n >> 30 & 4095, n >> 18 & 4095, n >> 10 & 255, n & 1023)
        for n in numbers[1:]
    ]
    count = numbers[0] & 0xFFFFFFFF
    return oracle_images.LocalRecord(tuple(features[:count]), tuple(features[count:]))


# --- What a picture's features depend on


def test_neighbours_in_a_batch_do_not_matter() -> None:
    pictures = [shipped("chelsea"), uniform(), noise(1, 9), scene(2), shipped("chelsea")]
    found = VisualWords().extract(pictures)
    assert found.records is not None and found.ok.all()
    for i, picture in enumerate(pictures):
        tokens, record = extract(picture)
        assert found.tokens[found.offsets[i] : found.offsets[i + 1]].tolist() == tokens
        assert found.records[i].as_py() == record
    nothing = VisualWords().extract([])
    assert nothing.offsets.tolist() == [0] and nothing.records is not None and len(nothing.records) == 0


def test_words_on_the_stop_list_are_no_tokens_and_count_as_inliers(tmp_path: Path) -> None:
    shipped_book, picture = codebook.load("photos-1"), shipped("coffee")
    words = np.frombuffer(extract(picture)[1], "<u8")[1:].astype(np.int64) >> 42
    half = np.unique(words)[::2]
    some, every = tmp_path / "some.npy", tmp_path / "every.npy"
    some.write_bytes(codebook.to_bytes(codebook.make(shipped_book.centroids, half)))
    every.write_bytes(codebook.to_bytes(codebook.make(shipped_book.centroids, np.unique(words))))
    for name in ("image.words", "image.word_pairs"):
        assert check(picture, name, {"codebook": str(some)}) == len(words)
        assert 0 < len(extract(picture, name, codebook=str(some))[0]) < len(extract(picture, name)[0])
        assert extract(picture, name, codebook=str(some))[1] == extract(picture, name)[1]
        assert extract(picture, name, codebook=str(every))[0] == []


def test_memory_layout_does_not_matter() -> None:
    picture = shipped("coffee")
    read_only = picture.copy()
    read_only.flags.writeable = False
    for other in (np.asfortranarray(picture), read_only, np.repeat(picture, 2, axis=0)[::2]):
        assert extract(other, count=100) == extract(picture, count=100)


def test_too_few_features_are_none() -> None:
    picture = scene(3)
    n = len(extract(picture, min_count=1)[1]) // 8 - 1
    assert n > 16
    assert extract(picture, min_count=n)[0] and extract(picture, min_count=n + 1) == ([], b"")


def test_the_shorter_side_decides() -> None:
    for shape in ((64, 90), (90, 64)):
        picture = noise(*shape)
        assert extract(picture, min_side=64)[0] and extract(picture, min_side=65) == ([], b"")


def inliers(a: Pixels, b: Pixels, **settings: Any) -> int:
    one, other = (np.frombuffer(extract(picture, **settings)[1], "<u8") for picture in (a, b))
    found = len(geometry.matched_points(one, other)[0])
    assert found == oracle_count(one, other)
    return found


def changed(picture: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    return np.asarray(change(Image.fromarray(picture)))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "cropped": lambda image: image.crop((60, 40, image.width - 90, image.height - 80)),
    "turned": lambda image: image.rotate(25, Image.Resampling.BICUBIC),
    "upside down": lambda image: image.rotate(180),
    "on its side": lambda image: image.rotate(90, expand=True),
    "smaller": lambda image: image.resize((image.width // 3, image.height // 3), Image.Resampling.LANCZOS),
    "sheared": lambda image: image.transform(
        image.size, Image.Transform.AFFINE, (1, 0.15, -30, 0, 1, 0), Image.Resampling.BICUBIC
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_pictures_match_by_many_inliers_and_others_do_not(change: str) -> None:
    for name in ("astronaut", "coffee", "chelsea"):
        assert inliers(shipped(name), changed(shipped(name), CHANGES[change])) >= 20
    assert inliers(shipped("chelsea"), changed(shipped("coffee"), CHANGES[change])) < 10


def test_mirror_images_match_where_they_are_asked_for() -> None:
    for name in ("astronaut", "coffee", "chelsea"):
        flipped = np.ascontiguousarray(shipped(name)[:, ::-1])
        assert inliers(shipped(name), flipped, mirror=False) < 10
        assert inliers(shipped(name), flipped, mirror=True) >= 50
        tokens = set(extract(shipped(name), mirror=True)[0])
        assert set(extract(shipped(name))[0]) < tokens
        shared = tokens & set(extract(flipped, mirror=True)[0])
        assert len(shared) > len(tokens) // 4
    assert inliers(shipped("chelsea"), np.ascontiguousarray(shipped("coffee")[:, ::-1]), mirror=True) < 10


# --- Parameters and contents


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"side": 63}, "side is 63; it must be from 64 to 480"),
        ({"side": 481}, "side is 481"),
        ({"count": 15}, "count is 15; it must be from 16 to 2000"),
        ({"min_side": 0}, "min_side is 0; it must be from 1 to 4096"),
        ({"min_count": 0}, "min_count is 0; it must be from 1 to 2000"),
        ({"neighbours": 0}, "neighbours is 0; it must be from 1 to 16"),
        ({"neighbours": 17}, "neighbours is 17"),
        ({"mirror": 1}, "mirror is 1; it must be of type bool"),
        ({"codebook": "nowhere"}, "codebook 'nowhere' is neither one that ships"),
    ],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=f"image.word_pairs: {message}"):
        make("image.word_pairs", parameters)


def own_codebook(path: Path, first: int = 0) -> Path:
    shipped = codebook.load("photos-1")
    centroids = shipped.centroids.copy()
    centroids[0, 0, 0] = first
    path.write_bytes(codebook.to_bytes(codebook.make(centroids, shipped.stop_words)))
    return path


def with_codebook(path: Path | str) -> str:
    data = to_dict(load("photos-small"))
    data["channels"][1]["parameters"]["codebook"] = str(path)
    return contract_id(from_dict(data))


def test_the_contract_holds_a_codebooks_content_and_not_its_place(tmp_path: Path) -> None:
    one, copy = own_codebook(tmp_path / "one.npy"), own_codebook(tmp_path / "copy.npy")
    other = own_codebook(tmp_path / "other.npy", 1)
    shipped_copy = tmp_path / "photos.npy"
    shipped_copy.write_bytes(codebook.to_bytes(codebook.load("photos-1")))
    assert with_codebook(one) == with_codebook(copy) != with_codebook(other)
    assert with_codebook(shipped_copy) == contract_id(load("photos-small"))


def test_a_worker_with_another_codebook_is_refused(tmp_path: Path) -> None:
    """As Spark does it: pickled where the spec was read, unpickled where the file is another."""
    path = own_codebook(tmp_path / "book.npy")
    sent = pickle.dumps(make("image.words", {"codebook": str(path)}))
    own_codebook(path, 1)
    codebook.load.cache_clear()  # another process
    with pytest.raises(CrossfadeError, match=r"this machine would make other visual words: \{'codebook': '"):
        pickle.loads(sent).extract([scene(1)])
    path.unlink()
    codebook.load.cache_clear()
    with pytest.raises(SpecError, match="neither one that ships with crossfade"):
        pickle.loads(sent).extract([scene(1)])


def test_a_worker_with_another_arithmetic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = pickle.dumps(make("image.word_pairs", {}))
    assert len(pickle.loads(sent).extract([scene(1)]).tokens)
    monkeypatch.setattr(sift, "arithmetic", lambda: "0" * 16)
    message = "give every machine the same codebook file, opencv and kind of processor"
    with pytest.raises(CrossfadeError, match=message) as caught:
        pickle.loads(sent).extract([scene(1)])
    assert "'arithmetic': '0000000000000000'} here" in str(caught.value)
