"""pHash and PDQ on the same pictures, each query held against all of the database."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.accuracy.pictures import pooled, read
from bench.accuracy.protocol import Protocol
from bench.accuracy.scoring import Answers, score

PHASH_DISTANCE = 10  # of 64 bits: what imagehash's and imagededup's documentation take
PDQ_DISTANCES = (31, 50)  # of 256: what PDQ's documentation recommends, and what crossfade's presets took

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Peer:
    """A method with its threshold, and its answers. fitted: the threshold was chosen on these pictures."""

    name: str
    answers: Answers
    fitted: bool = False


def peers(protocol: Protocol, files: list[Path]) -> list[Peer]:
    """files: of protocol.items."""
    hashes = list(pooled(hash_both, files, "pHash and PDQ"))
    phash, pdq = (_distances(np.array([pair[i] for pair in hashes]), len(protocol.database)) for i in (0, 1))
    best = max(range(65), key=lambda distance: score(protocol, phash <= distance).whole.f1)
    return [
        Peer(f"pHash <= {PHASH_DISTANCE}", phash <= PHASH_DISTANCE),
        Peer(f"pHash <= {best}", phash <= best, fitted=True),
        *(Peer(f"PDQ <= {distance}", pdq <= distance) for distance in PDQ_DISTANCES),
    ]


def hash_both(file: Path) -> tuple[Bits, Bits]:
    """(imagehash's phash of 8 x 8 bits, PDQ's 256 bits from the picture at its size), packed."""
    import imagehash
    import pdqhash
    from PIL import Image

    pixels = read(file)
    phash = imagehash.phash(Image.fromarray(pixels), hash_size=8).hash.reshape(-1)
    return np.packbits(phash), np.packbits(pdqhash.compute(pixels)[0].astype(np.uint8))


def _distances(bits: Bits, size: int) -> npt.NDArray[np.int64]:
    """int64[queries, database]: how many bits differ; bits: packed, of the database and then the queries."""
    words = bits.view(np.uint64)
    return np.stack(
        [np.bitwise_count(words[size:] ^ shown).sum(axis=1, dtype=np.int64) for shown in words[:size]], axis=1
    )
