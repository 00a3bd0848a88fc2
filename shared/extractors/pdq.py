"""`image.pdq`: a picture -> the 256 bits of its PDQ hash (Facebook 2019), taken from a smooth thumbnail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image

from shared.errors import SpecError
from shared.extractors.bits import bit_tokens
from shared.extractors.protocol import Extraction

MIN_SIDE = 8  # pixels; of less there is nothing to transform
_THUMBNAIL = (64, 64)  # the size of PDQ's own input to its transform


@dataclass(frozen=True)
class Pdq:
    """PDQ's cosine transform, median and quality (pdqhash 0.2.8) over a 64 x 64 thumbnail.

    The thumbnail is Pillow's bilinear reduction, which averages over every pixel, in fixed-point
    integers. PDQ's own reduction samples every n-th pixel of a light blur, so it depends on the
    picture's size. Measured on 164 photographs, distance to the original of 256 bits, median / 95th
    percentile: half size 10 / 16 with PDQ's, 0 / 2 here; quarter size 22 / 34, 2 / 4; blur of radius 2,
    4 / 9.7, 0 / 2; JPEG quality 15, 4 / 10, 4 / 9; 4 % cropped, 42 / 56, 40 / 52; unrelated pictures,
    0.1 % quantile, 92 both; and it takes a fifth of the time. The hash is therefore not that of other
    PDQ tools. imagehash's 16 x 16 phash is as close (0 / 2, 0 / 2, 0 / 2, 4 / 8, 38 / 50) but gives no
    quality, without which uniform pictures are all alike. Both are stable from process to process and
    with any number of threads: neither calls a BLAS.

    min_quality: 0..100, PDQ's measure of gradients. A picture below it has no features, nor has one with
    a side under 8 pixels. A uniform picture has 0, faint noise or a clear sky under 12, photographs
    50 and more, blurred by 12 pixels 20 and more.
    """

    min_quality: int = 20

    kind: ClassVar[str] = "image"
    has_geometry: ClassVar[bool] = False
    contents: ClassVar[Mapping[str, str]] = {}

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
            thumbnail = Image.fromarray(picture).resize(_THUMBNAIL, Image.Resampling.BILINEAR)
            vector, quality = pdqhash.compute(np.asarray(thumbnail))
            usable[i] = quality >= self.min_quality
            if usable[i]:
                bits[i] = np.packbits(vector.astype(np.uint8))
        offsets, tokens = bit_tokens(bits, usable)
        return Extraction(np.ones(len(payloads), np.bool_), offsets, tokens, bits)
