"""Kafka's default partitioner: murmur2 of the key, as the Java client computes it.

One function for every log, so that an id lands on the same partition wherever it is appended.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _partitions(
    data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int32]:
    out = np.empty(len(ends), dtype=np.int32)
    start = 0
    for row in range(len(ends)):
        end = ends[row]
        length = end - start
        h = _SEED ^ np.uint32(length)
        tail = start + (length // 4) * 4
        for at in range(start, tail, 4):
            k = (
                np.uint32(data[at])
                | (np.uint32(data[at + 1]) << np.uint32(8))
                | (np.uint32(data[at + 2]) << np.uint32(16))
                | (np.uint32(data[at + 3]) << np.uint32(24))
            )
            k = np.uint32(k * _M)
            k = np.uint32(k ^ (k >> np.uint32(24)))
            k = np.uint32(k * _M)
            h = np.uint32(np.uint32(h * _M) ^ k)
        left = end - tail
        if left >= 3:
            h = np.uint32(h ^ (np.uint32(data[tail + 2]) << np.uint32(16)))
        if left >= 2:
            h = np.uint32(h ^ (np.uint32(data[tail + 1]) << np.uint32(8)))
        if left >= 1:
            h = np.uint32(np.uint32(h ^ np.uint32(data[tail])) * _M)
        h = np.uint32(h ^ (h >> np.uint32(13)))
        h = np.uint32(h * _M)
        h = np.uint32(h ^ (h >> np.uint32(15)))
        out[row] = np.int32(np.int64(h & np.uint32(0x7FFFFFFF)) % count)
        start = end
    return out


def partitions_of(keys: Sequence[bytes], count: int) -> list[int]:
    """The partition (0 .. count - 1) of each key, in order."""
    data = np.frombuffer(b"".join(keys), dtype=np.uint8)
    ends = np.cumsum(np.fromiter(map(len, keys), dtype=np.int64, count=len(keys)))
    partitions: list[int] = _partitions(data, ends, count).tolist()
    return partitions
