"""`image.words` and `image.word_pairs`: the visual words of a picture's local features as tokens.

Source: Chum, Philbin, Zisserman, "Near Duplicate Image Detection: min-Hash and tf-idf Weighting" (2008).
Pairs follow Chum, Perdoch, Matas, "Geometric min-Hashing" (2009): a word with a neighbour of similar size
survives less often than a word alone, and is far rarer in another picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from shared import codebook, geometry
from shared.codebook import Codebook
from shared.errors import CrossfadeError, SpecError
from shared.extractors import sift
from shared.extractors.protocol import Extraction
from shared.extractors.sift import LocalFeatures
from shared.xxh64 import TOKEN_SEED, hash_binary

_SIMILAR = 8  # size steps: half an octave between the two of a pair
_APART = 16  # position steps: two pixels; what is nearer is one place with two angles

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VisualWords:
    """A token is a word of one feature that is not on the codebook's stop list. Even true pairs may share
    few: use bands of one row.

    codebook: the name of one that ships with crossfade, or a path; its content is in the contract.
    side, count: features are sought after the longest side is scaled to `side` pixels, at most `count`.
    min_side, min_count: a picture with a shorter side or fewer features has none in this channel.
    mirror: a picture has the words of its mirror image too, and matches it.
    """

    codebook: str = codebook.DEFAULT
    side: int = 288
    count: int = 400
    min_side: int = 64
    min_count: int = 20
    mirror: bool = False

    kind: ClassVar[str] = "image"
    bit_count: ClassVar[int] = 0
    has_geometry: ClassVar[bool] = True

    def __post_init__(self) -> None:
        limits = {"side": (64, 480), "count": (16, 2000), "min_side": (1, 4096), "min_count": (1, 2000)}
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise SpecError(f"{name} is {getattr(self, name)}; it must be from {low} to {high}")
        object.__setattr__(self, "_contents", self._read_contents())

    @property
    def contents(self) -> Mapping[str, str]:
        """Digests of the codebook and of this machine's arithmetic."""
        contents: Mapping[str, str] = self._contents  # type: ignore[attr-defined]
        return contents

    def extract(self, payloads: list[npt.NDArray[np.uint8]]) -> Extraction:
        """payloads: a list of uint8[height, width, 3] RGB. See Extractor.extract.

        CrossfadeError where this machine, a Spark worker for instance, has another codebook or arithmetic.
        """
        if (here := self._read_contents()) != self.contents:
            raise CrossfadeError(
                f"this machine would make other visual words: {here} here, {self.contents} where the spec "
                "was read; give every machine the same codebook file, opencv and kind of processor"
            )
        tokens, records = [], []
        for picture in payloads:
            found = self._features(picture)
            tokens.append(found[0])
            records.append(found[1])
        offsets = np.concatenate([[0], np.cumsum([len(own) for own in tokens], dtype=np.int64)])
        joined = np.concatenate([np.empty(0, np.uint64), *tokens])
        return Extraction(
            np.ones(len(payloads), np.bool_), offsets, joined, None, pa.array(records, pa.large_binary())
        )

    def local_features(self, picture: npt.NDArray[np.uint8]) -> LocalFeatures | None:
        """Of uint8[height, width, 3] RGB; None where it is too small or has too few of them."""
        if min(picture.shape[:2]) < self.min_side:
            return None
        features = sift.detect(picture, self.side, self.count)
        return features if len(features) >= self.min_count else None

    def _features(self, picture: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint64], bytes]:
        """(tokens, verification record)."""
        features = self.local_features(picture)
        if features is None:
            return np.empty(0, np.uint64), b""
        book = codebook.load(self.codebook)
        words = book.words(features.descriptors)
        tokens, plain = self._tokens(features, words, book), geometry.pack(words, features)
        if not self.mirror:
            return np.unique(tokens), geometry.record(plain, None)
        height, width = picture.shape[:2]
        _, width = sift.scaled(height, width, self.side)
        flipped = sift.mirrored(features, width * sift.POSITION)
        words = book.words(flipped.descriptors)
        tokens = np.concatenate([tokens, self._tokens(flipped, words, book)])
        return np.unique(tokens), geometry.record(plain, geometry.pack(words, flipped))

    def _tokens(self, features: LocalFeatures, words: Ints, book: Codebook) -> npt.NDArray[np.uint64]:
        return _hash(words[~book.stopped(words), None])

    def _read_contents(self) -> dict[str, str]:
        return {"codebook": codebook.load(self.codebook).digest, "arithmetic": sift.arithmetic()}


@dataclass(frozen=True)
class WordPairs(VisualWords):
    """A token is the words of a feature and of one of its nearest `neighbours` of similar size, neither of
    them on the codebook's stop list."""

    neighbours: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.neighbours <= 16:
            raise SpecError(f"neighbours is {self.neighbours}; it must be from 1 to 16")

    def _tokens(self, features: LocalFeatures, words: Ints, book: Codebook) -> npt.NDArray[np.uint64]:
        near = _neighbours(features.x, features.y, features.size, self.neighbours)
        one, other = np.nonzero(near >= 0)[0], near[near >= 0]
        stopped = book.stopped(words)
        kept = ~(stopped[one] | stopped[other])
        one, other = one[kept], other[kept]
        return _hash(np.sort(np.stack([words[one], words[other]], axis=1), axis=1))


def _hash(rows: Ints) -> npt.NDArray[np.uint64]:
    """The token of each row of words, as little-endian uint32."""
    data = np.ascontiguousarray(rows, "<u4")
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * (rows.shape[1] * data.itemsize)
    array = pa.BinaryArray.from_buffers(
        pa.binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(data.tobytes())]
    )
    return hash_binary(array, TOKEN_SEED)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _neighbours(x: Ints, y: Ints, size: Ints, count: int) -> Ints:
    """int64[n, count]: rows of the nearest features of similar size, the nearest first; -1 where fewer."""
    near = np.full((len(x), count), -1, np.int64)
    distances = np.empty(count, np.int64)
    for i in range(len(x)):
        found = 0
        for k in range(len(x)):
            distance = (x[i] - x[k]) ** 2 + (y[i] - y[k]) ** 2
            if distance < _APART**2 or abs(size[i] - size[k]) > _SIMILAR:
                continue
            if found == count and distance >= distances[count - 1]:
                continue
            at = min(found, count - 1)
            while at > 0 and distances[at - 1] > distance:
                distances[at], near[i, at] = distances[at - 1], near[i, at - 1]
                at -= 1
            distances[at], near[i, at] = distance, k
            found = min(found + 1, count)
    return near
