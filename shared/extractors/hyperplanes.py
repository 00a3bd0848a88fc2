"""`embedding.hyperplanes`: a float vector -> the sides of random hyperplanes it lies on (Charikar 2002)."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.errors import SpecError
from shared.extractors.bits import bit_tokens
from shared.extractors.protocol import Extraction
from shared.xxh64 import binary_buffers, hash_binary

MAX_BITS = 4096
MAX_DIMENSIONS = 65536
SCALE = 2.0**20
_CHUNK = 4096  # rows of a matrix product: bounds memory


@dataclass(frozen=True)
class Hyperplanes:
    """Bit j is set where the dot product with plane j is above 0; bit-exact on every machine.

    A vector v becomes integers q = rint(v / max|v| * 2^20): a division, a multiplication by a power of
    two and a rounding, each exact or correctly rounded by IEEE 754. Planes are +1 or -1, drawn from
    XXH64(plane uint32, block uint32, seed) for each block of 64 dimensions. A dot product is a sum of at
    most 65,536 integers of at most 2^20, so every partial sum is an integer below 2^53 that float64
    holds exactly: whatever order, threads or fused operations a BLAS chooses, it gives the same value.

    dimensions: length of the vectors, 1..65,536. bits: planes, a multiple of 8 up to 4,096.
    seed: of the planes, 0..2^63-1. A vector of zeros has no features; one of another length, or with a
    number that is not finite, is not ok.
    """

    dimensions: int
    bits: int = 256
    seed: int = 1

    kind: ClassVar[str] = "vector"
    has_geometry: ClassVar[bool] = False
    contents: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= MAX_DIMENSIONS:
            raise SpecError(
                f"dimensions is {self.dimensions}; it must be an integer from 1 to {MAX_DIMENSIONS:,}"
            )
        if self.bits % 8 or not 8 <= self.bits <= MAX_BITS:
            raise SpecError(f"bits is {self.bits}; it must be a multiple of 8 from 8 to {MAX_BITS}")
        if not 0 <= self.seed < 2**63:
            raise SpecError(f"seed is {self.seed}; it must be an integer from 0 to 2^63 - 1")

    @property
    def bit_count(self) -> int:
        return self.bits

    def extract(self, payloads: pa.BinaryArray) -> Extraction:
        """payloads: pa.BinaryArray of little-endian float64. See Extractor.extract."""
        count = len(payloads)
        vectors, ok = self._vectors(payloads)
        bits = np.zeros((count, self.bits // 8), np.uint8)
        usable = ok & np.any(vectors != 0, axis=1)
        directions = planes(self.dimensions, self.bits, self.seed)
        for start in range(0, count, _CHUNK):
            rows = np.flatnonzero(usable[start : start + _CHUNK]) + start
            bits[rows] = np.packbits(quantise(vectors[rows]) @ directions > 0, axis=1)
        offsets, tokens = bit_tokens(bits, usable)
        return Extraction(ok, offsets, tokens, bits)

    def _vectors(self, payloads: pa.BinaryArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """(float64[n, dimensions], ok bool[n]); rows that are not ok are zeros."""
        data, offsets = binary_buffers(payloads)
        width = self.dimensions * 8
        ok = np.diff(offsets) == width
        vectors = np.zeros((len(payloads), self.dimensions), np.float64)
        if ok.all() and len(ok):  # the usual case: one view of the buffer
            vectors = data[offsets[0] : offsets[-1]].view("<f8").reshape(vectors.shape)
        else:
            for i in np.flatnonzero(ok):
                vectors[i] = data[offsets[i] : offsets[i + 1]].view("<f8")
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        ok &= finite
        if payloads.null_count:
            ok &= payloads.is_valid().to_numpy(zero_copy_only=False)
        if not finite.all():
            vectors = np.where(finite[:, None], vectors, 0.0)
        return vectors, ok


def quantise(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64[n, d] of finite numbers, no row all zero -> integers in [-2^20, 2^20], as float64."""
    # Dividing by the peak, not multiplying by its reciprocal: 1 / a subnormal number is infinite.
    peak = np.abs(vectors).max(axis=1, keepdims=True)
    out: npt.NDArray[np.float64] = np.rint(vectors / peak * SCALE)
    return out


@functools.lru_cache(maxsize=8)
def planes(dimensions: int, bits: int, seed: int) -> npt.NDArray[np.float64]:
    """float64[dimensions, bits] of +1 and -1. Dimension 64 k + i of plane j is bit i of its block k."""
    blocks = -(-dimensions // 64)
    names = np.empty((bits, blocks, 2), "<u4")
    names[..., 0] = np.arange(bits)[:, None]
    names[..., 1] = np.arange(blocks)[None, :]
    array = pa.Array.from_buffers(
        pa.binary(),
        bits * blocks,
        [None, pa.py_buffer(np.arange(0, bits * blocks * 8 + 1, 8, dtype=np.int32)), pa.py_buffer(names)],
    )
    words = hash_binary(array, seed).astype("<u8").reshape(bits, blocks)
    signs = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, :dimensions]
    out: npt.NDArray[np.float64] = np.ascontiguousarray(signs.T, np.float64) * 2 - 1
    out.flags.writeable = False
    return out
