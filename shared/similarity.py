"""Verification: exact integer measures of candidate pairs. Definitions: docs/semantics.md, "Match"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from shared.geometry import count_inliers
from shared.spec import Channel

Int64s = npt.NDArray[np.int64]
NO_MATCH = -1  # in place of a channel's order: verified, and no channel accepts
_POPCOUNT = np.bitwise_count(np.arange(256, dtype=np.uint8))


@dataclass(frozen=True)
class ChannelFeatures:
    """One channel's features of n items, as both engines store them; null where it has none.

    Both binary or large binary. signatures: `permutations` uint32 little-endian. records: what the match
    rule needs: jaccard the sorted tokens (uint64 little-endian), hamming the packed bits, agreement b"",
    inliers the local features (shared/geometry.py).
    """

    signatures: pa.Array
    records: pa.Array


@dataclass(frozen=True)
class Matches:
    """Of n pairs: channel int8[n] (order in the spec, or NO_MATCH), numerator and denominator int64[n]."""

    channel: npt.NDArray[np.int8]
    numerator: Int64s
    denominator: Int64s


@dataclass(frozen=True)
class Measures:
    """What one channel says of n pairs, whatever the others say; zeros where not `present`.

    present: bool[n], both have features in it. agreeing, agreeing_bands: int64[n], permutations and bands.
    numerator, denominator: int64[n], exact below the threshold too. accepted: bool[n], as `verify` decides.
    """

    present: npt.NDArray[np.bool_]
    agreeing: Int64s
    agreeing_bands: Int64s
    numerator: Int64s
    denominator: Int64s
    accepted: npt.NDArray[np.bool_]


def verify(
    channels: Sequence[Channel], features: Sequence[ChannelFeatures], left: Int64s, right: Int64s
) -> Matches:
    """The match of each pair (left[i], right[i]) of rows of `features`: its first channel that accepts."""
    n = len(left)
    result = Matches(np.full(n, NO_MATCH, np.int8), np.zeros(n, np.int64), np.zeros(n, np.int64))
    undecided = np.arange(n)
    for order, (channel, feature) in enumerate(zip(channels, features, strict=True)):
        present = _present(feature)
        undecided = undecided[result.channel[undecided] == NO_MATCH]
        rows = undecided[present[left[undecided]] & present[right[undecided]]]
        if channel.match.min_agreeing_bands and len(rows):
            agreeing = _agreeing_bands(channel, feature, left[rows], right[rows])
            rows = rows[agreeing >= channel.match.min_agreeing_bands]
        if not len(rows):
            continue
        least = channel.match.min_inliers or 0
        numerator, denominator = _measure(channel, feature, left[rows], right[rows], least)
        accepted = _accepts(channel, numerator, denominator)
        rows = rows[accepted]
        result.channel[rows] = order
        result.numerator[rows] = numerator[accepted]
        result.denominator[rows] = denominator[accepted]
    return result


def measure(channel: Channel, feature: ChannelFeatures, left: Int64s, right: Int64s) -> Measures:
    """What a channel says of each pair (left[i], right[i]) of rows of `feature`, for whoever explains it."""
    valid = feature.signatures.is_valid().to_numpy(zero_copy_only=False)
    present = valid[left] & valid[right]
    rows = np.flatnonzero(present)
    columns = np.zeros((4, len(left)), np.int64)
    if len(rows):
        one, other = left[rows], right[rows]
        values, offsets = _buffers(feature.signatures, np.uint32)
        columns[0, rows] = _count_bands(values, offsets, one, other, channel.minhash.permutations, 1)
        columns[1, rows] = _agreeing_bands(channel, feature, one, other)
        columns[2, rows], columns[3, rows] = _measure(channel, feature, one, other, 0)
    agreeing, bands, numerator, denominator = columns
    enough = present & (bands >= channel.match.min_agreeing_bands)
    accepted = enough & _accepts(channel, numerator, denominator)
    return Measures(present, agreeing, bands, numerator, denominator, accepted)


def _present(feature: ChannelFeatures) -> npt.NDArray[np.bool_]:
    """bool[n]: the items of which there is a signature and a record; no kernel may read what is not there."""
    there = pc.and_(feature.signatures.is_valid(), feature.records.is_valid())
    return np.asarray(there.to_numpy(zero_copy_only=False), dtype=bool)


def _agreeing_bands(channel: Channel, feature: ChannelFeatures, left: Int64s, right: Int64s) -> Int64s:
    values, offsets = _buffers(feature.signatures, np.uint32)
    agreeing: Int64s = _count_bands(values, offsets, left, right, channel.bands.count, channel.bands.rows)
    return agreeing


def _measure(
    channel: Channel, feature: ChannelFeatures, left: Int64s, right: Int64s, least: int
) -> tuple[Int64s, Int64s]:
    """(numerator, denominator), int64[n] each. least: inliers below it need not be exact."""
    rule = channel.match.rule
    if rule == "jaccard":
        values, offsets = _buffers(feature.records, np.uint64)
        common: Int64s = _intersections(values, offsets, left, right)
        sizes = np.diff(offsets)
        return common, sizes[left] + sizes[right] - common
    if rule == "agreement":
        values, offsets = _buffers(feature.signatures, np.uint32)
        k = channel.minhash.permutations
        return _count_bands(values, offsets, left, right, k, 1), np.full(len(left), k, np.int64)
    if rule == "inliers":
        values, offsets = _buffers(feature.records, np.uint64)
        found = count_inliers(values, offsets, left, right, least)
        return found, np.ones(len(left), np.int64)
    values, offsets = _buffers(feature.records, np.uint8)
    bits = channel.extractor.bit_count
    return bits - _distances(values, offsets, left, right, bits // 8), np.full(len(left), bits, np.int64)


def _accepts(channel: Channel, numerator: Int64s, denominator: Int64s) -> npt.NDArray[np.bool_]:
    if channel.match.max_distance is not None:
        return np.asarray(denominator - numerator <= channel.match.max_distance)
    if channel.match.min_inliers is not None:
        return np.asarray(numerator >= channel.match.min_inliers)
    p, q = channel.match.fraction.as_integer_ratio()
    return np.asarray(numerator * q >= p * denominator)  # q <= 10^9 and counts < 2^31: no overflow


def _buffers(array: pa.Array, dtype: type) -> tuple[npt.NDArray[Any], Int64s]:
    """(values, offsets in values) of a binary array whose every value is a whole number of `dtype`."""
    width = np.dtype(dtype).itemsize
    offset_type = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    _, raw_offsets, raw_values = array.buffers()
    offsets = np.frombuffer(raw_offsets, offset_type)[array.offset : array.offset + len(array) + 1]
    values = np.frombuffer(raw_values if raw_values is not None else b"", np.uint8)
    return values[: len(values) // width * width].view(dtype), offsets.astype(np.int64) // width


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _intersections(values: npt.NDArray[np.uint64], offsets: Int64s, left: Int64s, right: Int64s) -> Int64s:
    out = np.zeros(len(left), dtype=np.int64)
    for p in range(len(left)):
        i, i_end = offsets[left[p]], offsets[left[p] + 1]
        j, j_end = offsets[right[p]], offsets[right[p] + 1]
        common = 0
        while i < i_end and j < j_end:
            a, b = values[i], values[j]
            common += a == b
            i += a <= b
            j += b <= a
        out[p] = common
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_bands(
    values: npt.NDArray[np.uint32], offsets: Int64s, left: Int64s, right: Int64s, count: int, rows: int
) -> Int64s:
    """How many of `count` runs of `rows` values are equal; with rows = 1, agreeing permutations."""
    out = np.zeros(len(left), dtype=np.int64)
    for p in range(len(left)):
        i, j = offsets[left[p]], offsets[right[p]]
        for band in range(count):
            equal = True
            for k in range(band * rows, (band + 1) * rows):
                equal &= values[i + k] == values[j + k]
            out[p] += equal
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _distances(
    values: npt.NDArray[np.uint8], offsets: Int64s, left: Int64s, right: Int64s, width: int
) -> Int64s:
    out = np.zeros(len(left), dtype=np.int64)
    for p in range(len(left)):
        i, j = offsets[left[p]], offsets[right[p]]
        for k in range(width):
            out[p] += _POPCOUNT[values[i + k] ^ values[j + k]]
    return out
