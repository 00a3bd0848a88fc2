"""The demo's pictures: photographs of the scikit-image wheel, tiles of the large ones, and variants of all.

Everything follows from one seed. The truth is known by making: two pictures match when they come from
the same original.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from shared.errors import SourceError
from shared.extractors.pdq import Pdq

PHOTOGRAPHS = (
    *(
        "astronaut.png",
        "brick.png",
        "camera.png",
        "cell.png",
        "chelsea.png",
        "clock_motion.png",
        "coffee.png",
    ),
    *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png"),
    *("motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
)
"""Files inside the wheel. Left out: drawings, chessboards, and one half of the stereo pair."""

_SIDE = 512  # the longest a whole photograph keeps
_TILE = 160
_TILES = 12  # at most, of one photograph
_MIN_QUALITY = 50  # below it a tile shows next to nothing
_DISTINCT = 60  # bits of 256: tiles that are no further apart look alike
_QUALITY = 92

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


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
    """(name, RGB picture): the photographs, then their tiles; no two of them look alike by PDQ."""
    folder = Path(skimage.data.__file__).parent
    photographs = [_open(folder / name) for name in PHOTOGRAPHS]
    names = [Path(name).stem for name in PHOTOGRAPHS]
    candidates = [(name, _within(image, _SIDE)) for name, image in zip(names, photographs, strict=True)]
    for name, image in zip(names, photographs, strict=True):
        candidates += [(f"{name}-{place}", tile) for place, tile in _tiles(image)]
    features = Pdq(_MIN_QUALITY).extract([np.asarray(image) for _, image in candidates])
    bits = np.unpackbits(features.bits, axis=1) if features.bits is not None else None
    assert bits is not None
    kept: list[int] = []
    of_photograph: dict[str, int] = {}
    for row in np.flatnonzero(np.diff(features.offsets)):
        photograph = candidates[row][0].partition("-")[0]
        alike = (bits[kept] != bits[row]).sum(axis=1) <= _DISTINCT
        if not alike.any() and of_photograph.get(photograph, 0) <= _TILES:
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


def _resize(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = rng.uniform(0.5, 0.8)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _recompress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(25, 50)))
    return Image.open(buffer)


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.6)))


def _noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels: npt.NDArray[np.float64] = np.asarray(image) + rng.normal(
        0, rng.uniform(4, 9), (*image.size[::-1], 3)
    )
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _brightness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(float(rng.choice([0.85, 0.9, 1.1, 1.15])))


def _crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    left, top, right, bottom = rng.uniform(0.0, 0.02, 4) * (*image.size, *image.size)
    return image.crop((round(left), round(top), image.width - round(right), image.height - round(bottom)))


def _overlay(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    out = image.copy()
    draw = ImageDraw.Draw(out)
    place = (0.05 * image.width, rng.uniform(0.05, 0.85) * image.height)
    font = ImageFont.load_default(max(10, image.height // 16))
    draw.text(place, "crossfade", fill=(255, 255, 255), stroke_width=1, stroke_fill=(0, 0, 0), font=font)
    return out


VARIANTS: dict[str, Change] = {
    "resize": _resize,
    "recompress": _recompress,
    "blur": _blur,
    "noise": _noise,
    "brightness": _brightness,
    "crop": _crop,
    "overlay": _overlay,
}
"""What is done to each original; a variant's file is named by it."""
