"""The demo's pictures: enough of them, really distinct, with the truth as made, and always the same."""

import csv
import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.demo_images import TILED, DemoImages, make_demo_images
from cli.demo_variants import VARIANTS
from shared.extractors.pdq import Pdq
from shared.images import decode_image

LOST = ("captioned", "crop", "framed", "turned", "sheared")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, DemoImages]:
    root = tmp_path_factory.mktemp("demo")
    return root / "pictures", root / "truth.csv", make_demo_images(root / "pictures", root / "truth.csv")


def test_counts(made: tuple[Path, Path, DemoImages]) -> None:
    folder, truth, result = made
    ids = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
    assert result.images == len(ids) >= 600
    assert result.originals * (len(VARIANTS) + 1) == result.images
    header, *rows = csv.reader(truth.open(encoding="utf-8"))
    assert header == ["id_a", "id_b"] and len(rows) == result.pairs
    same = {pair for pair in combinations(ids, 2) if pair[0].split("/")[0] == pair[1].split("/")[0]}
    assert {(a, b) for a, b in rows} == same


def test_originals_are_distinct_and_global_hashes_lose_some_variants(
    made: tuple[Path, Path, DemoImages],
) -> None:
    folder, _, result = made
    paths = sorted(folder.rglob("*.jpg"))
    pictures = [decode_image(path.read_bytes(), 10**7) for path in paths]
    features = Pdq().extract([picture for picture in pictures if not isinstance(picture, str)])
    assert features.bits is not None and (np.diff(features.offsets) == 256).all()
    bits = np.unpackbits(features.bits, axis=1).reshape(result.originals, len(VARIANTS) + 1, 256)
    names = [path.stem for path in paths[: len(VARIANTS) + 1]]
    assert names == sorted(["original", *VARIANTS])
    originals = bits[:, names.index("original")]
    between = (originals[:, None] != originals[None]).sum(axis=2)[~np.eye(result.originals, dtype=bool)]
    assert between.min() > 50  # chosen at over 60 before JPEG
    distance = dict(zip(names, (bits != originals[:, None]).sum(axis=2).T, strict=True))
    for name in ("resize", "recompress", "blur", "noise", "brightness"):
        assert distance[name].max() < 50 and np.median(distance[name]) < 10
    for name in LOST:
        assert distance[name].min() > 50  # of photos-small


def test_no_photograph_is_there_as_a_whole_and_in_tiles(made: tuple[Path, Path, DemoImages]) -> None:
    names = [path.name for path in made[0].iterdir()]
    tiled = {name.partition("-")[0] for name in names if "-" in name}
    assert tiled == {Path(name).stem for name in TILED} and not tiled & set(names)


def test_no_variant_is_its_original(made: tuple[Path, Path, DemoImages]) -> None:
    folder, _, _ = made
    for original in sorted(folder.rglob("original.jpg"))[::4]:
        files = [hashlib.sha256(path.read_bytes()).digest() for path in original.parent.iterdir()]
        assert len(set(files)) == len(VARIANTS) + 1
        size = np.array(Image.open(original).size)
        of = {name: np.array(Image.open(original.with_name(f"{name}.jpg")).size) / size for name in VARIANTS}
        assert (of["resize"] < 0.82).all() and (of["trim"] > 0.95).all()
        assert (of["crop"] >= 0.69).all() and (of["crop"] <= 0.81).all()
        assert (of["framed"] > 1.3).all() and (of["turned"] > 1.05).all()
        assert of["sheared"][0] > 1.04 and of["sheared"][1] == 1
        assert of["captioned"][0] == 1 and 1.24 < of["captioned"][1] <= 1.25


def test_the_same_every_time(made: tuple[Path, Path, DemoImages], tmp_path: Path) -> None:
    folder, truth, result = made
    assert make_demo_images(tmp_path / "pictures", tmp_path / "truth.csv") == result
    assert (tmp_path / "truth.csv").read_bytes() == truth.read_bytes()
    for path in folder.rglob("*.jpg"):
        assert (tmp_path / "pictures" / path.relative_to(folder)).read_bytes() == path.read_bytes()
