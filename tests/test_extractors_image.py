"""`image.pdq`: what has features, what survives a variant, and that nothing but the pixels matters."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xxhash
from PIL import Image

from shared.extractors import make
from shared.extractors.pdq import Pdq
from tests.images import VARIANTS, Pixels, scene, uniform

DATA = Path(__file__).parents[2] / "shared" / "data"
SHOW = "import sys; from tests.test_extractors_image import hashes; sys.stdout.write(hashes())"


def hashes() -> str:
    bits = Pdq().extract([scene(seed) for seed in range(6)]).bits
    assert bits is not None
    return bits.tobytes().hex()


def bits_of(pictures: list[Pixels]) -> np.ndarray:
    result = Pdq().extract(pictures)
    assert result.bits is not None and (np.diff(result.offsets) == 256).all()
    return np.unpackbits(result.bits, axis=1)


def has_features(picture: Pixels) -> bool:
    return bool(Pdq().extract([picture]).offsets[1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_stay_near_and_other_pictures_far(variant: str) -> None:
    pictures = [scene(seed) for seed in range(20)]
    originals, changed = bits_of(pictures), bits_of([VARIANTS[variant](picture) for picture in pictures])
    distances = (originals[:, None] != changed[None]).sum(axis=2)
    same = np.eye(20, dtype=bool)
    assert distances[same].max() <= 31 and distances[~same].min() >= 80


def test_tokens_name_position_and_bit() -> None:
    result = Pdq().extract([scene(3)])
    assert result.bits is not None
    names = [i.to_bytes(2, "little") + bytes([bit]) for i, bit in enumerate(np.unpackbits(result.bits[0]))]
    assert result.tokens.tolist() == sorted(xxhash.xxh64_intdigest(name, 42) for name in names)


@pytest.mark.parametrize("grey", [0, 1, 127, 128, 254, 255])
def test_uniform_pictures_have_no_features(grey: int) -> None:
    result = Pdq().extract([uniform(grey)])
    assert result.ok.all() and result.offsets.tolist() == [0, 0]
    assert result.bits is not None and not result.bits.any()


def test_faint_noise_and_gradients_have_no_features() -> None:
    rng = np.random.default_rng(1)
    noise = (128 + rng.integers(-16, 17, (200, 300, 3))).astype(np.uint8)
    gradient = np.repeat(np.tile(np.linspace(60, 180, 300), (200, 1))[..., None], 3, axis=2).astype(np.uint8)
    assert not has_features(noise) and not has_features(gradient)


@pytest.mark.parametrize("shape", [(1, 1), (7, 400), (400, 7), (1, 9000)])
def test_slivers_have_no_features(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert not has_features(noise)
    assert has_features(np.random.default_rng(2).integers(0, 256, (8, 8, 3), dtype=np.uint8))


def test_min_quality_is_the_gate() -> None:
    picture = scene(1)
    assert make("image.pdq", {"min_quality": 0}).extract([uniform()]).offsets[1] == 256
    assert make("image.pdq", {"min_quality": 100}).extract([picture // 16]).offsets[1] == 0


def test_memory_layout_does_not_matter() -> None:
    picture = scene(4)
    strided = np.asfortranarray(picture)
    read_only = picture.copy()
    read_only.flags.writeable = False
    reference = Pdq().extract([picture]).bits
    assert reference is not None
    for other in (strided, read_only, np.repeat(picture, 2, axis=0)[::2]):
        bits = Pdq().extract([other]).bits
        assert bits is not None and bits.tobytes() == reference.tobytes()


def test_the_same_bits_in_threads_and_other_processes() -> None:
    expected = hashes()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: hashes(), range(8))) == {expected}
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        shown = subprocess.run(
            [sys.executable, "-c", SHOW], env=os.environ | limits, capture_output=True, text=True, check=True
        )
        assert shown.stdout == expected


def test_golden_bits() -> None:
    """For ever: stored runs hold these values."""
    bits = Pdq().extract([scene(1)]).bits
    assert (
        bits is not None
        and bits.tobytes().hex() == "d1896b56c6669199a9d04c68295ebb47c62b64b854a196e7be9c55ac6c5d319e"
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="the development data is not at ../shared/data")
def test_real_photographs_have_features_and_clear_sky_has_none() -> None:
    photographs = sorted((DATA / "photos").glob("*/*/*.jpg"))[::40]
    assert len(photographs) > 30
    for path in photographs:
        assert has_features(np.asarray(Image.open(path).convert("RGB"))), path
    for path in (DATA / "images4_testdata" / "testdata" / "euclidean").glob("uniform-*.png"):
        assert not has_features(np.asarray(Image.open(path).convert("RGB"))), path
    sky = DATA / "pdq" / "pdq" / "data" / "reg-test-input" / "labelme-subset" / "q0003.jpg"
    assert not has_features(np.asarray(Image.open(sky).convert("RGB")))
