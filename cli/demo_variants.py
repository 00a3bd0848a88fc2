"""What the demo does to each of its photographs: what people and programs do to what they pass on."""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

_PAPER = (255, 255, 255)
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


def _scaled(image: Image.Image, width: float, height: float) -> Image.Image:
    return image.resize((round(width), round(height)), Image.Resampling.LANCZOS)


def _resize(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = rng.uniform(0.5, 0.8)
    return _scaled(image, image.width * scale, image.height * scale)


def _recompress(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(25, 50)))
    return Image.open(buffer)


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.6)))


def _noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    pixels: npt.NDArray[np.float64] = np.asarray(image) + rng.normal(
        0, rng.uniform(4, 9), (*image.size[::-1], 3)
    )
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _brightness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(float(rng.choice([0.85, 0.9, 1.1, 1.15])))


def _trim(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Up to 2 % of each edge cut off."""
    left, top, right, bottom = rng.uniform(0.0, 0.02, 4) * (*image.size, *image.size)
    return image.crop((round(left), round(top), image.width - round(right), image.height - round(bottom)))


def _crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A window of 70 to 80 % of the width and of the height, anywhere."""
    kept = rng.uniform(0.7, 0.8, 2)
    width, height = round(image.width * kept[0]), round(image.height * kept[1])
    left, top = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """By 10 to 25 degrees either way, whole, on white."""
    angle = rng.uniform(10, 25) * rng.choice([-1, 1])
    return image.rotate(float(angle), Image.Resampling.BICUBIC, expand=True, fillcolor=_PAPER)


def _sheared(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Slanted by 8 to 14 degrees either way, whole, on white."""
    slope = float(np.tan(np.radians(rng.uniform(8, 14))) * rng.choice([-1, 1]))
    width = image.width + round(abs(slope) * image.height)
    to_source = (1, slope, -max(slope, 0) * image.height, 0, 1, 0)
    return image.transform(
        (width, image.height),
        Image.Transform.AFFINE,
        to_source,
        Image.Resampling.BICUBIC,
        fillcolor=_PAPER,
    )


def _captioned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A white bar with a text over or under the picture, of a quarter of its height."""
    bar = image.height // 4
    over = bool(rng.integers(2))
    out = Image.new("RGB", (image.width, image.height + bar), _PAPER)
    out.paste(image, (0, bar if over else 0))
    middle = (image.width / 2, bar / 2 if over else image.height + bar / 2)
    font = ImageFont.load_default(min(bar // 2, image.width // 14))
    ImageDraw.Draw(out).text(middle, _text(rng), fill=(0, 0, 0), font=font, anchor="mm")
    return out


def _framed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A grey page of 1.4 to 1.7 times its size each way, and the picture somewhere on it."""
    width, height = (round(side * rng.uniform(1.4, 1.7)) for side in image.size)
    out = Image.new("RGB", (width, height), (226, 228, 232))
    out.paste(image, (int(rng.integers(width - image.width)), int(rng.integers(height - image.height))))
    return out


def _overlay(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A text across the picture, outlined."""
    out = image.copy()
    place = (0.05 * image.width, rng.uniform(0.05, 0.85) * image.height)
    font = ImageFont.load_default(max(10, image.height // 16))
    ImageDraw.Draw(out).text(place, _text(rng), fill=_PAPER, stroke_width=1, stroke_fill=(0, 0, 0), font=font)
    return out


def _text(rng: np.random.Generator) -> str:
    """Three words that mean nothing, so that hardly two pictures have one in common."""
    syllables = [rng.choice(list(_CONSONANTS)) + rng.choice(list(_VOWELS)) for _ in range(8)]
    return " ".join("".join(syllables[start:end]) for start, end in ((0, 3), (3, 5), (5, 8)))


VARIANTS: dict[str, Change] = {
    "resize": _resize,
    "recompress": _recompress,
    "blur": _blur,
    "noise": _noise,
    "brightness": _brightness,
    "trim": _trim,
    "overlay": _overlay,
    "captioned": _captioned,
    "crop": _crop,
    "framed": _framed,
    "turned": _turned,
    "sheared": _sheared,
}
"""What is done to each original; a variant's file is named by it."""
