"""Visual words: descriptors of local features -> integers, by a product codebook.

A descriptor's two halves are each replaced by the nearest of 1,024 centroids; the two numbers make a word
of 20 bits (product quantisation: Jegou, Douze, Schmid 2011, section II). Everything is exact: descriptors and
centroids are bytes, and a sum of 64 products of bytes is an integer below 2^24, which float32 holds, so that
a BLAS may add in any order, with any number of threads.
"""

import functools
import hashlib
import io
from collections.abc import Callable
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
DEFAULT = "photos-1"

_ASSETS = "codebooks"
_BYTES = 2 * CENTROIDS * HALF
_AT_ONCE = 4096

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Codebook:
    """centroids: uint8[2, 1024, 64]. digest: 32 hex digits of the sha256 of their bytes."""

    centroids: Bytes
    digest: str

    def words(self, descriptors: Bytes) -> npt.NDArray[np.int64]:
        """int64[n] of descriptors uint8[n, 128]: the first half's centroid << 10 | the second half's."""
        with _libraries().limit(limits=1, user_api="blas"):  # the processes are as many as the cores
            first, second = (
                nearest(descriptors[:, half * HALF : (half + 1) * HALF], self.centroids[half])
                for half in (0, 1)
            )
        return first << 10 | second


def nearest(points: Bytes, centroids: Bytes) -> npt.NDArray[np.int64]:
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
    header = _header()
    try:
        with (shipped if shipped.is_file() else Path(name_or_path)).open("rb") as file:
            data = file.read(len(header) + _BYTES + 1)
    except (OSError, ValueError) as error:
        raise SpecError(
            f"codebook {name_or_path!r} is neither one that ships with crossfade ({', '.join(names())}) "
            f"nor a file that can be read: {error}"
        ) from error
    # Compared, not parsed: numpy's reader raises any kind of error and takes the memory that a header names.
    if len(data) != len(header) + _BYTES or not data.startswith(header):
        raise SpecError(
            f"codebook {name_or_path!r} is not a numpy file of uint8{list(SHAPE)}; "
            "`crossfade train-codebook` writes one"
        )
    return make(np.frombuffer(data, np.uint8, offset=len(header)).reshape(SHAPE))


def make(centroids: Bytes) -> Codebook:
    """A codebook of centroids uint8[2, 1024, 64]."""
    whole = np.ascontiguousarray(centroids)
    whole.flags.writeable = False
    return Codebook(whole, hashlib.sha256(whole.tobytes()).hexdigest()[:32])


def names() -> list[str]:
    """The codebooks that ship with crossfade."""
    folder = resources.files("shared") / _ASSETS
    return sorted(
        entry.name.removesuffix(".npy") for entry in folder.iterdir() if entry.name.endswith(".npy")
    )


def to_bytes(codebook: Codebook) -> bytes:
    """The bytes of its file (numpy's format, version 1.0)."""
    return _header() + codebook.centroids.tobytes()


@functools.cache
def _header() -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": SHAPE})
    return file.getvalue()


def train(
    descriptors: Bytes, seed: int, rounds: int, progress: Callable[[int], None] = lambda rounds: None
) -> Codebook:
    """Lloyd's k-means, `rounds` rounds on each half of descriptors uint8[n, 128], from a start drawn by seed.

    progress: called with the rounds done, of 2 * rounds. SpecError where there are fewer descriptors than
    centroids.
    """
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
    return make(np.stack(halves))


def _round(points: Bytes, centroids: Bytes, rng: np.random.Generator) -> Bytes:
    """The mean of the points nearest to each centroid; one that has none becomes a point drawn by chance."""
    owner = nearest(points, centroids)
    counts = np.bincount(owner, minlength=CENTROIDS)
    sums = np.stack([np.bincount(owner, points[:, i], CENTROIDS) for i in range(HALF)], axis=1)
    means = np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
    return np.where(counts[:, None] > 0, means, points[rng.choice(len(points), CENTROIDS)])
