"""Bits as tokens: bit i with value b is the token XXH64(i as uint16 little-endian, b as uint8).

A pair of items then shares as many tokens as bits, so MinHash over them estimates the Hamming distance.
"""

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.xxh64 import TOKEN_SEED, hash_binary


@functools.cache
def token_table(bit_count: int) -> npt.NDArray[np.uint64]:
    """uint64[bit_count, 2]: the token of every (position, value)."""
    names = [position.to_bytes(2, "little") + bytes([b]) for position in range(bit_count) for b in (0, 1)]
    table: npt.NDArray[np.uint64] = hash_binary(pa.array(names, pa.binary()), TOKEN_SEED).reshape(-1, 2)
    table.flags.writeable = False
    return table


def bit_tokens(
    bits: npt.NDArray[np.uint8], usable: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """(offsets int64[n + 1], tokens uint64) of packed bits uint8[n, bytes]; none where not usable."""
    bit_count = bits.shape[1] * 8
    values = np.unpackbits(bits[usable], axis=1)
    tokens = token_table(bit_count)[np.arange(bit_count), values]
    tokens.sort(axis=1)
    offsets = np.concatenate([[0], np.cumsum(usable, dtype=np.int64)]) * bit_count
    return offsets, tokens.reshape(-1)
