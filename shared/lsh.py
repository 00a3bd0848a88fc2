"""Bands, buckets and draws. Definitions: docs/semantics.md, "Signatures and buckets"."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from shared.spec import Bands, Channel
from shared.xxh64 import xxh64

Int64s = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _buckets(rows: npt.NDArray[np.uint8], width: int, out: npt.NDArray[np.uint64]) -> None:
    n, bands = out.shape
    for i in range(n):
        for band in range(bands):
            out[i, band] = xxh64(rows[i], band * width, (band + 1) * width, np.uint64(0))


def buckets(signatures: npt.NDArray[np.uint32], bands: Bands) -> npt.NDArray[np.uint64]:
    """uint64[n, bands.count]: XXH64 (seed 0) of each band of uint32[n, permutations], little-endian."""
    out = np.empty((len(signatures), bands.count), dtype=np.uint64)
    rows = np.ascontiguousarray(signatures, dtype="<u4").view(np.uint8)
    _buckets(rows, bands.rows * 4, out)
    return out


def item_buckets(signatures: pa.Array, channel: Channel) -> tuple[Int64s, npt.NDArray[np.uint64]]:
    """(rows of the items that have a signature, uint64[those, bands]: their buckets).

    signatures: binary or large binary, as ChannelFeatures has them; null where an item has no features.
    """
    present = np.flatnonzero(signatures.is_valid().to_numpy(zero_copy_only=False))
    values = b"".join(signatures.drop_null().to_pylist())
    rows = np.frombuffer(values, "<u4").reshape(len(present), channel.minhash.permutations)
    return present, buckets(rows, channel.bands)


def draw_bounds(rank: int, first: int, near: int) -> tuple[int, int]:
    """(end, start): the member of this rank draws ranks [0, end) and [start, rank).

    start - end earlier members are left out.
    """
    return min(rank, first), max(min(rank, first), rank - near)


compiled_draw_bounds = njit(cache=True, nogil=True)(draw_bounds)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def draw(starts: Int64s, carried: int, first: Int64s, near: Int64s) -> tuple[Int64s, Int64s]:
    """(later, earlier): row numbers of every drawn pair.

    The rows starts[g]:starts[g+1] are bucket g in priority order, with first[g] and near[g] as its
    draws. The first `carried` rows draw nothing: they stand for the members of a bucket whose
    beginning was in an earlier table (its first `first` and last `near` members; see `carry`).
    """
    pairs = 0
    for g in range(len(starts) - 1):
        for row in range(max(starts[g], carried), starts[g + 1]):
            end, start = compiled_draw_bounds(row - starts[g], first[g], near[g])
            pairs += end + row - starts[g] - start
    later, earlier = np.empty(pairs, dtype=np.int64), np.empty(pairs, dtype=np.int64)
    k = 0
    for g in range(len(starts) - 1):
        base = starts[g]
        for row in range(max(base, carried), starts[g + 1]):
            end, start = compiled_draw_bounds(row - base, first[g], near[g])
            for rank in range(end):
                later[k], earlier[k], k = row, base + rank, k + 1
            for rank in range(start, row - base):
                later[k], earlier[k], k = row, base + rank, k + 1
    return later, earlier


def carry(start: int, stop: int, first: int, near: int) -> Int64s:
    """The rows of an unfinished bucket [start, stop) that its later members can still draw.

    Put before the bucket's next rows they give the same draws as the whole bucket would.
    """
    head_end = min(stop, start + first)
    return np.concatenate([np.arange(start, head_end), np.arange(max(head_end, stop - near), stop)])


def left_out(members: npt.ArrayLike, first: int, near: int) -> Int64s:
    """int64[n]: how many (later, earlier) pairs draws leave out of buckets with these many members."""
    beyond = np.maximum(np.asarray(members, np.int64) - 1 - first - near, 0)
    return np.asarray(beyond * (beyond + 1) // 2)
