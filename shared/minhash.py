"""MinHash, bit-identical to datasketch 2.0's default scheme (`affine32`) over 64-bit tokens.

low 32 bits of the token -> MurmurHash3's 32-bit finaliser -> a*h + b mod 2^32 (a odd) -> minimum.
(a, b) are drawn as datasketch draws them; `tests/golden/` pins the values for ever.
"""

import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

if TYPE_CHECKING:
    import datasketch

SCHEME = "affine32"

_AT_ONCE = 8


@functools.cache
def permutations(count: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """(a, b), uint32[count] each, as datasketch 2.0 draws them for `affine32` and this seed."""
    rng = np.random.RandomState(seed)
    a = rng.randint(0, 2**31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = rng.randint(0, 2**32, count, dtype=np.uint32)
    return a, b


def permutations_digest(count: int, seed: int) -> str:
    """16 hex digits over (a, b): a change of numpy's generator would show here, in the contract."""
    a, b = permutations(count, seed)
    return hashlib.sha256(a.tobytes() + b.tobytes()).hexdigest()[:16]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mix(token: np.uint64) -> np.uint32:
    # numba widens uint32 arithmetic to 64 bits, hence a cast after every step
    h = np.uint32(token)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _signatures(
    tokens: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    a: npt.NDArray[np.uint32],
    b: npt.NDArray[np.uint32],
    out: npt.NDArray[np.uint32],
) -> None:
    # Eight tokens at a time: with their hashes in registers a row is loaded and stored once for all eight,
    # and LLVM makes one multiply, add and minimum of each lane; three times as fast as token by token.
    h = np.empty(_AT_ONCE, np.uint32)
    for i in range(len(offsets) - 1):
        row, last = out[i], offsets[i + 1] - 1
        for t in range(offsets[i], offsets[i + 1], _AT_ONCE):
            for u in range(_AT_ONCE):
                h[u] = _mix(tokens[min(t + u, last)])  # to repeat a token leaves the minimum as it is
            for j in range(len(a)):
                least = row[j]
                for u in range(_AT_ONCE):
                    least = min(least, np.uint32(a[j] * h[u] + b[j]))
                row[j] = least


def signatures(
    tokens: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64], count: int, seed: int
) -> npt.NDArray[np.uint32]:
    """uint32[n, count]: the signature of each token set tokens[offsets[i]:offsets[i+1]].

    An empty set has all ones. Source: datasketch 2.0.0, `MinHash` with scheme affine32.
    """
    a, b = permutations(count, seed)
    out = np.full((len(offsets) - 1, count), 0xFFFFFFFF, dtype=np.uint32)
    _signatures(tokens, offsets, a, b, out)
    return out


def to_datasketch(signature: npt.NDArray[np.uint32], seed: int) -> "datasketch.MinHash":
    """A datasketch 2.x MinHash with these values (uint32[count])."""
    import datasketch

    return datasketch.MinHash(seed=seed, hashvalues=signature.copy(), scheme=SCHEME)


def from_datasketch(sketch: "datasketch.MinHash") -> npt.NDArray[np.uint32]:
    """uint32[count] of a datasketch 2.x MinHash. Another scheme (all of 1.x) raises ValueError."""
    if sketch.scheme != SCHEME:
        raise ValueError(
            f"this sketch has datasketch's scheme {sketch.scheme!r}; crossfade's values are {SCHEME!r}"
        )
    return np.asarray(sketch.hashvalues, dtype=np.uint32).copy()
