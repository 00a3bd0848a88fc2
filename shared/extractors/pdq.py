"""`image.pdq`: a picture -> the 256 bits of its PDQ hash (Facebook 2019)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pdqhash

from shared.errors import SpecError
from shared.extractors.bits import bit_tokens
from shared.extractors.protocol import Extraction

MIN_SIDE = 8


@dataclass(frozen=True)
class Pdq:
    """min_quality: 0..100."""

    min_quality: int = 50

    kind: ClassVar[str] = "image"

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 100:
            raise SpecError(f"min_quality is {self.min_quality}; it must be an integer from 0 to 100")

    @property
    def bit_count(self) -> int:
        return 256

    def extract(self, payloads: list[npt.NDArray[np.uint8]]) -> Extraction:
        """payloads: a list of uint8[height, width, 3] RGB. See Extractor.extract."""
        bits = np.zeros((len(payloads), self.bit_count // 8), np.uint8)
        usable = np.zeros(len(payloads), np.bool_)
        for i, picture in enumerate(payloads):
            if min(picture.shape[:2]) < MIN_SIDE:
                continue
            vector, quality = pdqhash.compute(picture)
            usable[i] = quality >= self.min_quality
            if usable[i]:
                bits[i] = np.packbits(vector.astype(np.uint8))
        offsets, tokens = bit_tokens(bits, usable)
        return Extraction(np.ones(len(payloads), np.bool_), offsets, tokens, bits)
