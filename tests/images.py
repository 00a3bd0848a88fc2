"""Small pictures made by code, the same on every machine, and what people do to pictures."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Pixels = npt.NDArray[np.uint8]


def scene(seed: int, width: int = 160, height: int = 120) -> Pixels:
    """uint8[height, width, 3]: like no other seed's picture; smooth with a few edges, as photographs are."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.array(image)
    for _ in range(4):
        top, left = rng.integers(0, height * 3 // 4), rng.integers(0, width * 3 // 4)
        pixels[top : top + height // 5, left : left + width // 5] = rng.integers(0, 256, 3)
    return pixels


def uniform(grey: int = 128, width: int = 160, height: int = 120) -> Pixels:
    """A picture of one colour."""
    return np.full((height, width, 3), grey, np.uint8)


def encode(pixels: Pixels, form: str = "PNG", **options: object) -> bytes:
    """The bytes of a file; `form` as Pillow names it, with its saving options."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def resized(pixels: Pixels, factor: float = 0.5) -> Pixels:
    image = Image.fromarray(pixels)
    size = (round(image.width * factor), round(image.height * factor))
    return np.array(image.resize(size, Image.Resampling.LANCZOS))


def recompressed(pixels: Pixels, quality: int = 40) -> Pixels:
    return np.array(Image.open(io.BytesIO(encode(pixels, "JPEG", quality=quality))))


def blurred(pixels: Pixels, radius: float = 1.5) -> Pixels:
    return np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def brighter(pixels: Pixels, factor: float = 1.15) -> Pixels:
    out: Pixels = np.clip(pixels * factor, 0, 255).astype(np.uint8)
    return out


VARIANTS: dict[str, Callable[[Pixels], Pixels]] = {
    "resized": resized,
    "recompressed": recompressed,
    "blurred": blurred,
    "brighter": brighter,
}
"""Changes that leave a picture a near-duplicate of itself."""
