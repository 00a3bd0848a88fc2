"""Sorting a small set of uniformly distributed 64-bit hashes, in place."""

import numpy as np
import numpy.typing as npt
from numba import njit

MAX_BUCKET_BITS = 16
_LARGE_BUCKET = 48  # above this, insertion would cost more than a real sort


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sort_unique(
    hashes: npt.NDArray[np.uint64], count: int, counters: npt.NDArray[np.int32], out: npt.NDArray[np.uint64]
) -> int:
    """Write the sorted, distinct values of `hashes[:count]` to the front of `out`; returns how many.

    hashes, out: uint64, `out` with room for `count`; they must not overlap. counters: int32[2^16 + 1],
    scratch. Hashes are uniform, so their high bits alone put them nearly in place and insertion does
    the rest: linear, and several times faster than a comparison sort at 200 tokens.
    """
    if count == 0:
        return 0
    bits = 4
    while (1 << bits) < count and bits < 16:
        bits += 1
    shift = np.uint64(64 - bits)
    size = 1 << bits
    counters[: size + 1] = 0
    for i in range(count):
        counters[np.int64(hashes[i] >> shift) + 1] += 1
    largest = 0
    for b in range(1, size + 1):
        largest = max(largest, counters[b])
        counters[b] += counters[b - 1]
    for i in range(count):
        bucket = np.int64(hashes[i] >> shift)
        out[counters[bucket]] = hashes[i]
        counters[bucket] += 1
    if largest > _LARGE_BUCKET:  # repeated tokens, a huge document, or an adversary's
        start = np.int64(0)
        for b in range(size):
            end = np.int64(counters[b])  # the scatter has moved each start to its bucket's end
            if end - start > _LARGE_BUCKET:
                out[start:end] = np.sort(out[start:end])
            start = end
    for i in range(1, count):
        value = out[i]
        j = i - 1
        while j >= 0 and out[j] > value:
            out[j + 1] = out[j]
            j -= 1
        out[j + 1] = value
    unique = 1
    for i in range(1, count):
        if out[i] != out[unique - 1]:
            out[unique] = out[i]
            unique += 1
    return unique
