"""Stage digests: equal digests prove equal content without comparing rows.

For each of 256 shards (by the id's hash) a count and a 128-bit sum, taken as two 64-bit lanes, of
the hashes of the canonical rows. Sums commute, so neither order nor files matter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from shared.xxh64 import hash_binary, xxh64

SHARDS = 256
UInt64s = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Digest:
    """rows: int64[256]; lanes: uint64[256, 2]."""

    rows: npt.NDArray[np.int64]
    lanes: UInt64s

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.rows + other.rows, self.lanes + other.lanes)  # uint64 wraps: the sum is modular

    def to_json(self) -> dict[str, str]:
        """shard (2 hex digits) -> "rows:32 hex digits", of the shards that have rows."""
        return {
            f"{shard:02x}": f"{self.rows[shard]}:{self.lanes[shard, 0]:016x}{self.lanes[shard, 1]:016x}"
            for shard in np.flatnonzero(self.rows)
        }


def empty() -> Digest:
    return Digest(np.zeros(SHARDS, np.int64), np.zeros((SHARDS, 2), np.uint64))


def shards(ids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """uint8[n]: the shard of each id (string): XXH64, seed 0, modulo 256."""
    return (hash_binary(ids, 0) % np.uint64(SHARDS)).astype(np.uint8)


def digest(table: pa.Table, shard_column: str, columns: list[str]) -> Digest:
    """The digest of these rows. `columns`: what of a row counts; `shard_column`: the id that shards it."""
    shard = shards(table.column(shard_column))
    lanes = np.zeros((SHARDS, 2), np.uint64)
    np.add.at(lanes, shard, row_hashes(table, columns))
    return Digest(np.bincount(shard, minlength=SHARDS).astype(np.int64), lanes)


def row_hashes(table: pa.Table, columns: list[str]) -> UInt64s:
    """uint64[rows, 2]: two independent hashes of each canonical row, the lanes of a digest."""
    out = np.empty((table.num_rows, 2), np.uint64)
    for lane in range(2):
        hashes = np.empty((table.num_rows, len(columns)), np.uint64)
        for i, name in enumerate(columns):
            hashes[:, i] = _column_hashes(table.column(name), 2 * i + lane)
        out[:, lane] = hash_rows(hashes, lane)
    return out


def _column_hashes(column: pa.ChunkedArray, seed: int) -> UInt64s:
    if pa.types.is_integer(column.type):
        values = column.cast(pa.int64()).to_numpy().astype("<i8")
        return hash_rows(values.view(np.uint64).reshape(-1, 1), seed)
    return hash_binary(column, seed)


def hash_rows(rows: UInt64s, seed: int) -> UInt64s:
    """uint64[n]: XXH64 of each row of uint64[n, m], little-endian."""
    out = np.empty(len(rows), np.uint64)
    _hash_rows_kernel(np.ascontiguousarray(rows, "<u8").view(np.uint8), np.uint64(seed), out)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hash_rows_kernel(rows: npt.NDArray[np.uint8], seed: np.uint64, out: UInt64s) -> None:
    for i in range(len(rows)):
        out[i] = xxh64(rows[i], 0, rows.shape[1], seed)
