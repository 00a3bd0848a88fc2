"""The demo's pictures: enough of them, really distinct, with the truth as made, and always the same."""

import csv
import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.demo_images import VARIANTS, DemoImages, make_demo_images
from shared.extractors.pdq import Pdq
from shared.images import decode_image


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


def test_originals_are_distinct_and_variants_near(made: tuple[Path, Path, DemoImages]) -> None:
    folder, _, result = made
    paths = sorted(folder.rglob("*.jpg"))
    pictures = [decode_image(path.read_bytes(), 10**7) for path in paths]
    features = Pdq().extract([picture for picture in pictures if not isinstance(picture, str)])
    assert features.bits is not None and (np.diff(features.offsets) == 256).all()
    bits = np.unpackbits(features.bits, axis=1).reshape(result.originals, len(VARIANTS) + 1, 256)
    assert [path.stem for path in paths[: len(VARIANTS) + 1]] == sorted(["original", *VARIANTS])
    originals = bits[:, sorted(["original", *VARIANTS]).index("original")]
    between = (originals[:, None] != originals[None]).sum(axis=2)[~np.eye(result.originals, dtype=bool)]
    assert between.min() > 50  # chosen at over 60 before JPEG
    within = (bits != originals[:, None]).sum(axis=2)
    assert within.max() < 90 and np.median(within) < 10


def test_no_variant_is_its_original(made: tuple[Path, Path, DemoImages]) -> None:
    folder, _, _ = made
    for original in list(folder.rglob("original.jpg"))[::10]:
        files = [hashlib.sha256(path.read_bytes()).digest() for path in original.parent.iterdir()]
        assert len(set(files)) == len(VARIANTS) + 1
        width, height = Image.open(original).size
        smaller = Image.open(original.with_name("resize.jpg"))
        assert smaller.width < width and smaller.height < height


def test_the_same_every_time(made: tuple[Path, Path, DemoImages], tmp_path: Path) -> None:
    folder, truth, result = made
    assert make_demo_images(tmp_path / "pictures", tmp_path / "truth.csv") == result
    assert (tmp_path / "truth.csv").read_bytes() == truth.read_bytes()
    for path in folder.rglob("*.jpg"):
        assert (tmp_path / "pictures" / path.relative_to(folder)).read_bytes() == path.read_bytes()
