"""Visual words: descriptors of local features -> integers, by a product codebook.

A descriptor's two halves are each replaced by the nearest of 1,024 centroids; the two numbers make a word
of 20 bits (product quantisation: Jegou, Douze, Schmid 2011, section II). Everything is exact: descriptors and
centroids are bytes, and a sum of 64 products of bytes is an integer below 2^24, which float32 holds, so that
a BLAS may add in any order, with any number of threads.

Some words are in so many pictures that they hardly say which one it is, and they fill the buckets. So the
most frequent ones are on a stop list (Sivic and Zisserman, "Video Google", 2003, section 4.1).
"""

import functools
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from shared.errors import SpecError

CENTROIDS = 1024  # a half
HALF = 64  # bytes of half a descriptor
SHAPE = (2, CENTROIDS, HALF)
MOST_WORDS = CENTROIDS**2
DEFAULT = "photos-1"

_ASSETS = "codebooks"
_BYTES = 2 * CENTROIDS * HALF
_AT_ONCE = 4096
_FREQUENT = 64  # times as often as the mean of all words: the stop list begins there
_FEWEST = 10  # pictures that show that a word is frequent: copies of one may be in the folder

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codebook:
    """centroids: uint8[2, 1024, 64]. stop_words: int64[any], ascending. digest: 32 hex digits of the sha256
    of both, the words as little-endian uint32."""

    centroids: Bytes
    stop_words: Ints
    digest: str

    def stopped(self, words: Ints) -> npt.NDArray[np.bool_]:
        """bool[n]: which of int64[n] are on the stop list."""
        return np.isin(words, self.stop_words)

    def words(self, descriptors: Bytes) -> Ints:
        """int64[n] of descriptors uint8[n, 128]: the first half's centroid << 10 | the second half's."""
        with _libraries().limit(limits=1, user_api="blas"):  # the processes are as many as the cores
            first, second = (
                nearest(descriptors[:, half * HALF : (half + 1) * HALF], self.centroids[half])
                for half in (0, 1)
            )
        return first << 10 | second


def nearest(points: Bytes, centroids: Bytes) -> Ints:
    """int64[n]: the centroid (uint8[k, 64]) nearest to each of uint8[n, 64]; the first of equals."""
    wide = centroids.astype(np.float32)
    squares = (wide * wide).sum(axis=1)
    found = [
        np.argmin(squares - 2 * (points[at : at + _AT_ONCE].astype(np.float32) @ wide.T), axis=1)
        for at in range(0, len(points), _AT_ONCE)
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@functools.lru_cache(maxsize=8)
def load(name_or_path: str) -> Codebook:
    """A codebook that ships with crossfade by its name, or one of yours by its path. Raises SpecError."""
    shipped = resources.files("shared") / _ASSETS / f"{name_or_path}.npy"
    most = _BYTES + 4 * MOST_WORDS + 2 * len(_header(SHAPE, "|u1"))
    try:
        with (shipped if shipped.is_file() else Path(name_or_path)).open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        raise SpecError(
            f"codebook {name_or_path!r} is neither one that ships with crossfade ({', '.join(names())}) "
            f"nor a file that can be read: {error}"
        ) from error
    found = _parse(data)
    if found is None:
        raise SpecError(
            f"codebook {name_or_path!r} is not a file of two numpy arrays, uint8{list(SHAPE)} and uint32[n]; "
            "`crossfade train-codebook` writes one"
        )
    return found


def make(centroids: Bytes, stop_words: Ints) -> Codebook:
    """A codebook of centroids uint8[2, 1024, 64] and a stop list int64[any], ascending."""
    whole = np.ascontiguousarray(centroids)
    whole.flags.writeable = False
    stop_words.flags.writeable = False
    digest = hashlib.sha256(whole.tobytes() + stop_words.astype("<u4").tobytes()).hexdigest()[:32]
    return Codebook(whole, stop_words, digest)


def names() -> list[str]:
    """The codebooks that ship with crossfade."""
    folder = resources.files("shared") / _ASSETS
    return sorted(
        entry.name.removesuffix(".npy") for entry in folder.iterdir() if entry.name.endswith(".npy")
    )


def to_bytes(codebook: Codebook) -> bytes:
    """The bytes of its file: two arrays in numpy's format, version 1.0, one after the other."""
    stop_words = codebook.stop_words.astype("<u4")
    headers = _header(SHAPE, "|u1"), _header(stop_words.shape, "<u4")
    return headers[0] + codebook.centroids.tobytes() + headers[1] + stop_words.tobytes()


def _parse(data: bytes) -> Codebook | None:
    """The codebook of a file's bytes; None if it is none.

    Compared, not parsed: numpy's reader raises any kind of error and takes the memory that a header names.
    """
    header = _header(SHAPE, "|u1")
    end = len(header) + _BYTES
    rest = data[end:]
    count = max(0, len(rest) - len(_header((0,), "<u4"))) // 4
    words = np.frombuffer(rest[len(rest) - 4 * count :], "<u4").astype(np.int64)
    exact = data.startswith(header) and rest == _header((count,), "<u4") + words.astype("<u4").tobytes()
    if not exact or (np.diff(words) <= 0).any() or (words >= MOST_WORDS).any():
        return None
    return make(np.frombuffer(data[len(header) : end], np.uint8).reshape(SHAPE), words)


@functools.cache
def _header(shape: tuple[int, ...], dtype: str) -> bytes:
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def train(
    pictures: Sequence[Bytes], seed: int, rounds: int, progress: Callable[[int], None] = lambda rounds: None
) -> Codebook:
    """Lloyd's k-means, `rounds` rounds on each half of all descriptors, from a start drawn by seed; and the
    words that are frequent in these pictures.

    pictures: descriptors uint8[n, 128] of each. progress: called with the rounds done, of 2 * rounds.
    SpecError where there are fewer descriptors than centroids.
    """
    descriptors = np.concatenate([np.empty((0, 128), np.uint8), *pictures])
    if len(descriptors) < CENTROIDS:
        raise SpecError(
            f"{len(descriptors)} local features are too few for {CENTROIDS} centroids; add pictures"
        )
    rng = np.random.default_rng(seed)
    halves = []
    for half in (0, 1):
        points = np.ascontiguousarray(descriptors[:, half * HALF : (half + 1) * HALF])
        centroids = points[rng.choice(len(points), CENTROIDS, replace=False)]
        for done in range(rounds):
            centroids = _round(points, centroids, rng)
            progress(half * rounds + done + 1)
        halves.append(centroids)
    trained = make(np.stack(halves), np.empty(0, np.int64))
    return make(trained.centroids, frequent([trained.words(picture) for picture in pictures]))


def frequent(pictures: Sequence[Ints]) -> Ints:
    """The stop list, ascending, of the words of each picture: what is _FREQUENT times as often in them as the
    mean of all words that there are, and in _FEWEST of them. A word counts once a picture."""
    words, counts = np.unique(
        np.concatenate([np.empty(0, np.int64), *map(np.unique, pictures)]), return_counts=True
    )
    least = max(_FEWEST, -(-_FREQUENT * int(counts.sum()) // MOST_WORDS))
    return words[counts >= least]


def _round(points: Bytes, centroids: Bytes, rng: np.random.Generator) -> Bytes:
    """The mean of the points nearest to each centroid; one that has none becomes a point drawn by chance."""
    owner = nearest(points, centroids)
    counts = np.bincount(owner, minlength=CENTROIDS)
    sums = np.stack([np.bincount(owner, points[:, i], CENTROIDS) for i in range(HALF)], axis=1)
    means = np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
    return np.where(counts[:, None] > 0, means, points[rng.choice(len(points), CENTROIDS)])
