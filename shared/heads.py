"""`decide`: which head an item joins. Every engine calls it. Definitions: docs/semantics.md, "Clusters".

It is pure: it sees one round's rows and answers with a head, or that pairs are still to be verified.
The only assignment in which every item's head is what `decide` says is the answer, so an engine may
begin from any guess and repeat rounds until nothing changes (DESIGN.md, section 1).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from shared.similarity import NO_MATCH

Int64s = npt.NDArray[np.int64]

UNKNOWN = -2  # not verified yet

BECOMES_HEAD = -1
UNDECIDED = -2


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def stronger(channel: int, numerator: int, denominator: int, than_c: int, than_n: int, than_d: int) -> bool:
    """Whether a match is strictly stronger than another: an earlier channel, or a larger ratio in one."""
    if channel != than_c:
        return channel < than_c
    return numerator * than_d > than_n * denominator


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def decide(starts: Int64s, channel: npt.NDArray[np.int8], numerator: Int64s, denominator: Int64s) -> Int64s:
    """int64[items]: for each item the row of the head it joins, BECOMES_HEAD or UNDECIDED.

    The rows starts[i]:starts[i+1] are item i's possible heads, each once, in priority order (so
    that ties go to the earliest), with the result of the pair: a channel's order and its integers,
    NO_MATCH, or UNKNOWN. An item with an UNKNOWN row is UNDECIDED: verify those pairs, ask again.
    """
    chosen = np.full(len(starts) - 1, BECOMES_HEAD, dtype=np.int64)
    for i in range(len(starts) - 1):
        best = -1
        for row in range(starts[i], starts[i + 1]):
            if channel[row] == UNKNOWN:
                best = UNDECIDED
                break
            if channel[row] == NO_MATCH:
                continue
            if best == -1 or stronger(
                channel[row],
                numerator[row],
                denominator[row],
                channel[best],
                numerator[best],
                denominator[best],
            ):
                best = row
        chosen[i] = best
    return chosen


def priority_key(effective_time: int, version_time: int, item: bytes) -> bytes:
    """An item's priority as bytes that sort as it does: two sign-flipped big-endian int64, then the id."""
    return ((effective_time + 2**63) << 64 | (version_time + 2**63)).to_bytes(16, "big") + item


def priority_keys(effective_times: Int64s, version_times: Int64s, ids: pa.Array) -> pa.Array:
    """binary[n]: `priority_key` of each of n items; ids: string[n]."""
    times = np.empty((len(ids), 2), ">u8")
    for column, values in enumerate((effective_times, version_times)):
        times[:, column] = values.view(np.uint64) ^ np.uint64(2**63)  # as adding 2^63 does, modulo 2^64
    prefixes = pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(times.tobytes())])
    return pc.binary_join_element_wise(prefixes.cast(pa.binary()), ids.cast(pa.binary()), b"")


def key_id(key: bytes) -> bytes:
    """The id in a priority key."""
    return key[16:]
