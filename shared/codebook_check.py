"""What a codebook is worth: does it find pictures that it was not trained on in mild variants of them, and
only there? Beside it the codebook that ships with crossfade, on the same pictures."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from shared import codebook, geometry
from shared.codebook import HALF, Bytes, Codebook
from shared.extractors.sift import LocalFeatures

MIN_INLIERS = 10  # as the preset photos-small has it

# What is chance: codebooks of two halves of one collection differed by 1.4 % of their inliers.
_CLEARLY_FEWER = 0.95  # inliers of a picture and its variant, as a share
_CLEARLY_MORE = 0.001  # pairs of two pictures that match, as a difference
_SAMPLE = 50_000  # descriptors: an average needs no more

Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pairs:
    """Of n pairs: the median of their inliers, the share with MIN_INLIERS or more, and the median share of
    words off the stop list that two have in common (intersection / union). None where there are no pairs."""

    pairs: int
    inliers: float | None
    matched: float | None
    words: float | None


@dataclass(frozen=True)
class Score:
    """One codebook. Errors: the root mean square distance of descriptors from their centroids, as a share of
    that of the descriptors from zero."""

    trained_error: float
    held_out_error: float
    variants: Pairs  # a picture and a variant of it
    others: Pairs  # two pictures


@dataclass(frozen=True)
class Check:
    """pictures: held out. new: the codebook that was made. shipped: the one that ships with crossfade."""

    pictures: int
    new: Score
    shipped: Score

    @property
    def worse(self) -> bool:
        """Whether the new one clearly sees less of a picture in its variants, or more in other pictures."""
        new, shipped = self.new, self.shipped
        fewer = (new.variants.inliers or 0) < _CLEARLY_FEWER * (shipped.variants.inliers or 0)
        return fewer or (new.others.matched or 0) > (shipped.others.matched or 0) + _CLEARLY_MORE


def variants(picture: Pixels) -> list[Pixels]:
    """uint8[height, width, 3] at half its size, as JPEG of quality 50, and turned by 10 degrees."""
    image, compressed = Image.fromarray(picture), io.BytesIO()
    image.save(compressed, "JPEG", quality=50)
    turned = image.rotate(10, Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128))
    return [np.asarray(made) for made in (image.reduce(2), Image.open(compressed), turned)]


def check(made: Codebook, trained: Bytes, views: Sequence[Sequence[LocalFeatures]]) -> Check:
    """trained: the descriptors uint8[n, 128]. views: of each picture held out, its features and those of
    each variant."""
    shipped = codebook.load(codebook.DEFAULT)
    return Check(len(views), _score(made, trained, views), _score(shipped, trained, views))


def _score(book: Codebook, trained: Bytes, views: Sequence[Sequence[LocalFeatures]]) -> Score:
    words = [book.words(features.descriptors) for view in views for features in view]
    packed = [
        np.frombuffer(geometry.record(geometry.pack(own, features), None), "<u8")
        for own, features in zip(words, (features for view in views for features in view), strict=True)
    ]
    first = np.cumsum([0, *map(len, views)])  # the picture's own row; its variants follow
    pictures = first[:-1]
    its_variants = np.setdiff1d(np.arange(first[-1]), pictures)
    of = pictures[np.searchsorted(pictures, its_variants) - 1]
    one, other = np.triu_indices(len(pictures), 1)
    return Score(
        _error(book, trained),
        _error(book, np.concatenate([view[0].descriptors for view in views])),
        _pairs(book, words, packed, of, its_variants),
        _pairs(book, words, packed, pictures[one], pictures[other]),
    )


def _error(book: Codebook, descriptors: Bytes) -> float:
    some = descriptors[:: len(descriptors) // _SAMPLE + 1]
    words = book.words(some)
    apart = square = 0.0
    for half, centroid in enumerate((words >> 10, words & 1023)):
        points = some[:, half * HALF : (half + 1) * HALF].astype(np.float32)
        apart += float(((points - book.centroids[half][centroid]) ** 2).sum(dtype=np.float64))
        square += float((points**2).sum(dtype=np.float64))
    return float(np.sqrt(apart / square))


def _pairs(
    book: Codebook, words: list[Ints], packed: list[npt.NDArray[np.uint64]], left: Ints, right: Ints
) -> Pairs:
    if not len(left):
        return Pairs(0, None, None, None)
    offsets = np.cumsum([0, *map(len, packed)])
    inliers = geometry.count_inliers(np.concatenate(packed), offsets, left, right, 0)
    sets = [np.unique(own[~book.stopped(own)]) for own in words]
    shared = [_jaccard(sets[i], sets[j]) for i, j in zip(left, right, strict=True)]
    matched = np.mean(inliers >= MIN_INLIERS)
    return Pairs(len(left), float(np.median(inliers)), float(matched), float(np.median(shared)))


def _jaccard(a: Ints, b: Ints) -> float:
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / max(1, len(a) + len(b) - both)
