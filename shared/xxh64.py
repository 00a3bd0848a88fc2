"""XXH64, the one hash of crossfade, as a numba function over byte buffers.

Source: the XXH64 specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Spark SQL's
`xxhash64()` of a binary column gives the same values for seed 42.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

TOKEN_SEED = 42

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)

# Read-only like every view of an Arrow buffer: numba compiles a kernel once for each kind of array.
_NO_BYTES = np.frombuffer(b"", np.uint8)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rotate(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@intrinsic  # type: ignore[untyped-decorator]
def _read32(typing: Any, buffer: Any, at: Any) -> Any:
    return _load(buffer, at, 32)


@intrinsic  # type: ignore[untyped-decorator]
def _read64(typing: Any, buffer: Any, at: Any) -> Any:
    return _load(buffer, at, 64)


def _load(buffer: Any, at: Any, bits: int) -> Any:
    # One unaligned load. Written in numba it would be eight indexings, each with numpy's test for a
    # negative index, which LLVM cannot fold: half the speed.
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        address = builder.gep(array.data, [arguments[1]])
        word = ir.IntType(bits)
        loaded = builder.load(builder.bitcast(address, word.as_pointer()), align=1)
        return builder.zext(loaded, ir.IntType(64)) if bits < 64 else loaded

    return types.uint64(buffer, types.int64), generate


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    out: np.uint64 = _rotate(lane + word * _P2, 31) * _P1
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _merge(acc: np.uint64, lane: np.uint64) -> np.uint64:
    out: np.uint64 = (acc ^ _round(np.uint64(0), lane)) * _P1 + _P4
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def xxh64(buffer: npt.NDArray[np.uint8], start: int, end: int, seed: np.uint64) -> np.uint64:
    """XXH64 of `buffer[start:end]` (uint8, contiguous). `seed` must be np.uint64. No bounds are checked."""
    length = end - start
    at = start
    if length >= 32:
        a = seed + _P1 + _P2
        b = seed + _P2
        c = seed
        d = seed - _P1
        while at + 32 <= end:
            a = _round(a, _read64(buffer, at))
            b = _round(b, _read64(buffer, at + 8))
            c = _round(c, _read64(buffer, at + 16))
            d = _round(d, _read64(buffer, at + 24))
            at += 32
        acc = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
        acc = _merge(_merge(_merge(_merge(acc, a), b), c), d)
    else:
        acc = seed + _P5
    acc += np.uint64(length)
    while at + 8 <= end:
        acc = _rotate(acc ^ _round(np.uint64(0), _read64(buffer, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        acc = _rotate(acc ^ (_read32(buffer, at) * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        acc = _rotate(acc ^ (np.uint64(buffer[at]) * _P5), 11) * _P1
        at += 1
    acc = (acc ^ (acc >> np.uint64(33))) * _P2
    acc = (acc ^ (acc >> np.uint64(29))) * _P3
    out: np.uint64 = acc ^ (acc >> np.uint64(32))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def xxh64_short(buffer: npt.NDArray[np.uint8], start: int, end: int, seed: np.uint64) -> np.uint64:
    """xxh64 of less than 32 bytes, where `buffer` can be read up to `start + 32`; nearly twice as fast.

    Every step is computed and then kept or dropped by a mask. Words have all lengths, so branches on
    them are mispredicted, which also keeps the processor from overlapping one hash with the next.
    """
    length = end - start
    acc = seed + _P5 + np.uint64(length)
    words = length >> 3
    for k in range(3):
        step = _rotate(acc ^ _round(np.uint64(0), _read64(buffer, start + 8 * k)), 27) * _P1 + _P4
        acc ^= (acc ^ step) & (np.uint64(0) - np.uint64(k < words))
    at = start + 8 * words
    half = (length >> 2) & 1
    step = _rotate(acc ^ (_read32(buffer, at) * _P1), 23) * _P2 + _P3
    acc ^= (acc ^ step) & (np.uint64(0) - np.uint64(half))
    tail = _read32(buffer, at + 4 * half)
    for k in range(3):
        step = _rotate(acc ^ (((tail >> np.uint64(8 * k)) & np.uint64(0xFF)) * _P5), 11) * _P1
        acc ^= (acc ^ step) & (np.uint64(0) - np.uint64(k < (length & 3)))
    acc = (acc ^ (acc >> np.uint64(33))) * _P2
    acc = (acc ^ (acc >> np.uint64(29))) * _P3
    out: np.uint64 = acc ^ (acc >> np.uint64(32))
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def all_ascii(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """bool[n]: whether `data[offsets[i]:offsets[i + 1]]` has no byte above 127."""
    out = np.empty(len(offsets) - 1, np.bool_)
    for i in range(len(out)):
        at, end = offsets[i], offsets[i + 1]
        seen = np.uint64(0)
        while at + 8 <= end:
            seen |= _read64(data, at)
            at += 8
        while at < end:
            seen |= np.uint64(data[at])
            at += 1
        out[i] = (seen & np.uint64(0x8080808080808080)) == 0
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hash_slices(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], seed: np.uint64
) -> npt.NDArray[np.uint64]:
    out = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(out)):
        start, end = offsets[i], offsets[i + 1]
        if end - start < 32 and start + 32 <= len(data):
            out[i] = xxh64_short(data, start, end, seed)
        else:
            out[i] = xxh64(data, start, end, seed)
    return out


def binary_buffers(array: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The bytes of a binary, large_binary, string or large_string array, without a copy of the data.

    Returns (data uint8[:], offsets int64[n + 1]): item i is `data[offsets[i]:offsets[i + 1]]`. Slices
    are honoured; what a null item's slot holds is undefined (usually nothing). TypeError otherwise.
    """
    kind = array.type
    if pa.types.is_large_binary(kind) or pa.types.is_large_string(kind):
        width: type[np.int64 | np.int32] = np.int64
    elif pa.types.is_binary(kind) or pa.types.is_string(kind):
        width = np.int32
    else:
        raise TypeError(f"expected a binary or string array, got {kind}")
    if len(array) == 0:
        return _NO_BYTES, np.zeros(1, np.int64)
    _, offsets_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offsets_buffer, width, len(array) + 1, array.offset * np.dtype(width).itemsize)
    data = _NO_BYTES if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return data, offsets.astype(np.int64)


_NOTHING = np.empty(0, np.uint64)


def hash_binary(array: pa.Array, seed: int) -> npt.NDArray[np.uint64]:
    """XXH64 of every item of a binary or string array; uint64[n]. A null item gives 0.

    `seed` is an unsigned 64-bit integer. Works on Arrow buffers, slices included.
    """
    if isinstance(array, pa.ChunkedArray):  # which one array of 32-bit offsets may not hold
        return np.concatenate([_NOTHING, *(hash_binary(chunk, seed) for chunk in array.chunks)])
    data, offsets = binary_buffers(array)
    hashes: npt.NDArray[np.uint64] = _hash_slices(data, offsets, np.uint64(seed))
    if array.null_count:
        hashes[array.is_null().to_numpy(zero_copy_only=False)] = 0
    return hashes
