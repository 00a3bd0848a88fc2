"""Which records of the family postings are plainly as they should be: thousands in one look.

They are nearly all. Of the others stream/checked.py, a record at a time, says what is wrong, if anything.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from stream.postings import BUCKET_KEY, CHUNK_KEY, LEAST

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]


def plain(entries: Sequence[tuple[bytes, bytes]], bands: Sequence[int]) -> npt.NDArray[np.bool_]:
    """bool[n]: whether a (key, value) is well-formed, no directory, and has no id with other than ASCII.

    bands: of each channel, how many.
    """
    keys, values = (joined(part) for part in zip(*entries, strict=True))
    found: npt.NDArray[np.bool_] = _plain(*keys, *values, np.array(bands, np.int64))
    return found


def joined(parts: Iterable[bytes]) -> tuple[Bytes, Int64s]:
    """The bytes of all of n parts, and int64[n + 1]: where each begins."""
    parts = list(parts)
    return np.frombuffer(b"".join(parts), np.uint8), np.cumsum([0, *map(len, parts)], dtype=np.int64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _plain(
    keys: Bytes, key_starts: Int64s, values: Bytes, value_starts: Int64s, bands: Int64s
) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(key_starts) - 1, np.bool_)
    for i in range(len(found)):
        key, size = key_starts[i], key_starts[i + 1] - key_starts[i]
        if size not in (BUCKET_KEY, CHUNK_KEY) or keys[key] >= len(bands):
            continue
        if (np.int64(keys[key + 1]) << 8 | np.int64(keys[key + 2])) >= bands[keys[key]]:
            continue
        at, end = value_starts[i], value_starts[i + 1]
        if size == BUCKET_KEY and at < end:
            at = at + 1 if values[at] == 0 else end  # else a directory
        found[i] = at < end and _members_end(values, at, end) == end
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _members_end(data: Bytes, at: np.int64, end: np.int64) -> np.int64:
    """Where the packed members that begin `at` end, if each is plain and none goes on after `end`."""
    while at + LEAST <= end:
        item = at + LEAST - 1
        at += 2 + (np.int64(data[at]) | np.int64(data[at + 1]) << 8)
        if at <= item or data[item:at].max() >= 128:
            return np.int64(-1)
    return at
