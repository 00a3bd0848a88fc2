"""Traces: what an engine held in its buckets and what it drew, an item in one number.

A trace is the sum, modulo 2^64, of a hash of each thing. Sums commute, so an engine adds them up in any
order and any number of parts. Two engines that did the same for an item have the same count and trace;
where they differ, the stage that diverged is named without storing every bucket entry and drawn pair.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.digests import hash_rows
from shared.xxh64 import hash_binary

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
MASK = 2**64 - 1


def entry_hashes(slots: Int64s, values: UInt64s) -> UInt64s:
    """uint64[n]: of each bucket entry. slot: the band's number among all bands of all channels."""
    return hash_rows(np.stack([slots.astype(np.uint64), values], axis=1), 0)


def id_hashes(ids: pa.Array | pa.ChunkedArray) -> UInt64s:
    """uint64[n]: of each drawn item, by its id (string or binary)."""
    return hash_binary(ids, 0)


def signed(trace: int) -> int:
    """A trace as the int64 that a run stores."""
    trace &= MASK
    return trace - 2**64 if trace >= 2**63 else trace


def sums(hashes: UInt64s, starts: Int64s) -> UInt64s:
    """uint64[groups]: the sum of each group hashes[starts[g]:starts[g + 1]], none of them empty."""
    return np.add.reduceat(hashes, starts[:-1]) if len(hashes) else np.empty(0, np.uint64)
