"""The demo's pictures: photographs of the scikit-image wheel, tiles of some, and variants of all.

Everything follows from one seed. The truth is known by making: two pictures match when they come from
the same original. A photograph is an original as a whole or its tiles are, never both: a tile is its
photograph, cropped.
"""

import csv
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from cli.demo_variants import VARIANTS
from shared.errors import SourceError
from shared.extractors.pdq import Pdq

WHOLE = (
    *("astronaut.png", "chelsea.png", "coffee.png", "camera.png", "rocket.jpg", "coins.png", "moon.png"),
    *("page.png", "text.png", "clock_motion.png", "cell.png", "brick.png", "grass.png", "gravel.png"),
)
TILED = ("hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png", "retina.jpg")
"""Files inside the wheel. Left out: drawings, chessboards, and one half of the stereo pair. Not tiled:
scenes, and textures, which were made seamless from copies of their own parts: tiles of grass correlate at
0.99, and are no two originals.
"""

_SIDE = 512  # the longest a whole photograph keeps
_TILE = 160
_TILES = 12  # at most, of one photograph
_MIN_QUALITY = 50  # below it a tile shows next to nothing
_DISTINCT = 60  # bits of 256: tiles that are no further apart look alike
_QUALITY = 92


@dataclass(frozen=True)
class DemoImages:
    """originals, images: how many; pairs: true pairs in the CSV file."""

    originals: int
    images: int
    pairs: int


def make_demo_images(folder: Path, truth: Path, seed: int = 1) -> DemoImages:
    """Write the pictures under `folder`, one folder an original, and the pairs to `truth` (id_a,id_b).

    An id is the path in `folder`. SourceError if this scikit-image lacks the photographs.
    """
    originals = distinct_originals()
    pairs = 0
    truth.parent.mkdir(parents=True, exist_ok=True)
    with truth.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id_a", "id_b"])
        for index, (name, image) in enumerate(originals):
            (folder / name).mkdir(parents=True, exist_ok=True)
            image.save(folder / name / "original.jpg", quality=_QUALITY)
            for order, (change, make) in enumerate(VARIANTS.items()):
                variant = make(image, np.random.default_rng([seed, index, order]))
                variant.save(folder / name / f"{change}.jpg", quality=_QUALITY)
            ids = sorted(f"{name}/{variant}.jpg" for variant in ("original", *VARIANTS))
            rows.writerows(combinations(ids, 2))
            pairs += len(ids) * (len(ids) - 1) // 2
    return DemoImages(len(originals), len(originals) * (1 + len(VARIANTS)), pairs)


def distinct_originals() -> list[tuple[str, Image.Image]]:
    """(name, RGB picture): whole photographs, then tiles of others; no two of them look alike by PDQ."""
    folder = Path(skimage.data.__file__).parent
    candidates = [(Path(name).stem, _within(_open(folder / name), _SIDE)) for name in WHOLE]
    for name in TILED:
        candidates += [(f"{Path(name).stem}-{place}", tile) for place, tile in _tiles(_open(folder / name))]
    features = Pdq(_MIN_QUALITY).extract([np.asarray(image) for _, image in candidates])
    bits = np.unpackbits(features.bits, axis=1) if features.bits is not None else None
    assert bits is not None
    kept: list[int] = []
    of_photograph: dict[str, int] = {}
    for row in np.flatnonzero(np.diff(features.offsets)):
        photograph = candidates[row][0].partition("-")[0]
        alike = (bits[kept] != bits[row]).sum(axis=1) <= _DISTINCT
        if not alike.any() and of_photograph.get(photograph, 0) < _TILES:
            kept.append(int(row))
            of_photograph[photograph] = of_photograph.get(photograph, 0) + 1
    return [candidates[row] for row in kept]


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise SourceError(
            f"{path} cannot be opened ({error}); install scikit-image again: its wheel ships the photographs"
        ) from error


def _within(image: Image.Image, side: int) -> Image.Image:
    scale = min(1.0, side / max(image.size))
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _tiles(image: Image.Image) -> list[tuple[str, Image.Image]]:
    """(place, tile): squares side by side that do not overlap."""
    return [
        (f"{row}{column}", image.crop((left, top, left + _TILE, top + _TILE)))
        for row, top in enumerate(range(0, image.height - _TILE + 1, _TILE))
        for column, left in enumerate(range(0, image.width - _TILE + 1, _TILE))
    ]
