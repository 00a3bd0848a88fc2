"""What an extractor is: it turns payloads into sets of 64-bit tokens and, for Hamming channels, into bits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True)
class Extraction:
    """The features of n payloads, in their order.

    ok: bool[n]; False where the payload cannot be used (status `payload_invalid`).
    offsets: int64[n + 1] into tokens; an item with none has no features (as has one that is not ok).
    tokens: uint64, sorted and unique inside each item.
    bits: uint8[n, bit_count / 8], packed with the first bit highest; zeros where an item has no
        features. None if the extractor gives no bits.
    records: large_binary[n], a verification record of shared/geometry.py each; None if it gives none.
    """

    ok: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.uint64]
    bits: npt.NDArray[np.uint8] | None
    records: pa.Array | None = None


class Extractor(Protocol):
    """A frozen dataclass whose fields are its parameters. All of them go into the contract.

    kind: which payload it takes, "text", "vector" or "image".
    bit_count: bits it gives an item, a multiple of 8; 0 where it gives none.
    has_geometry: whether it gives the records that the rule `inliers` compares.
    """

    kind: ClassVar[str]
    has_geometry: ClassVar[bool]

    @property
    def bit_count(self) -> int: ...

    @property
    def contents(self) -> Mapping[str, str]:
        """Digests of what parameters only name, such as a file; in the contract in place of the parameter."""
        ...

    def extract(self, payloads: Any) -> Extraction:
        """Features of a batch. A function of each payload alone: never of its neighbours.

        payloads: for "text" and "vector" a pa.BinaryArray of payload bytes (UTF-8; little-endian
        float64), for "image" a list of decoded pictures, uint8[height, width, 3] RGB.
        """
        ...
