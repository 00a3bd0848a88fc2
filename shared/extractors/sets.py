"""Sorting a small set of uniformly distributed 64-bit hashes, in place."""

import numpy as np
import numpy.typing as npt
from numba import njit

MAX_BUCKET_BITS = 16
_LARGE_BUCKET = np.uint32(48)  # above this, insertion would cost more than a real sort


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sort_unique(
    hashes: npt.NDArray[np.uint64], count: int, counters: npt.NDArray[np.uint32], out: npt.NDArray[np.uint64]
) -> int:
    """Write the sorted, distinct values of `hashes[:count]` to the front of `out`; returns how many.

    hashes, out: uint64, `out` with room for `count`; they must not overlap. counters: uint32[2^16],
    scratch. Hashes are uniform, so their high bits alone put them nearly in place and insertion does
    the rest: linear, and five times faster than a comparison sort at 200 tokens.
    """
    if count == 0:
        return 0
    bits = 4
    while (1 << bits) < count and bits < MAX_BUCKET_BITS:
        bits += 1
    # Everything is unsigned: that spares numpy's test for negative indices.
    n, one = np.uint64(count), np.uint64(1)
    shift, buckets = np.uint64(64 - bits), one << np.uint64(bits)
    counters[:buckets] = 0
    for i in range(n):
        counters[hashes[i] >> shift] += np.uint32(1)
    filled, largest = np.uint32(0), np.uint32(0)
    for b in range(buckets):
        size = counters[b]
        largest = max(largest, size)
        counters[b] = filled
        filled += size
    for i in range(n):
        bucket = hashes[i] >> shift
        out[counters[bucket]] = hashes[i]
        counters[bucket] += np.uint32(1)  # from the bucket's start to its end
    if largest > _LARGE_BUCKET:  # repeated tokens, a huge document, or an adversary's
        start = np.uint32(0)
        for b in range(buckets):
            end = counters[b]
            if end - start > _LARGE_BUCKET:
                out[start:end] = np.sort(out[start:end])
            start = end
    for i in range(one, n):
        value = out[i]
        at = np.uint64(i)
        while at > np.uint64(0) and out[at - one] > value:
            out[at] = out[at - one]
            at -= one
        out[at] = value
    unique, last = one, out[np.uint64(0)]
    for i in range(one, n):
        value = out[i]
        out[unique] = value
        unique += np.uint64(value != last)
        last = value
    return np.int64(unique)  # type: ignore[return-value]
