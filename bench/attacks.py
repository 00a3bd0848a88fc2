"""The 58 attacks of the accuracy benchmark: what happens to pictures between one copy and the next.

Names and strengths are those of the published comparisons of perceptual hashes (the 58 attacks on BSDS500
of C. Vallez's benchmark, 2022), so that figures can be held beside theirs. Where a name leaves something
open, the docstring of the attack says what was chosen; where that benchmark is known to have chosen, it is
its choice. Not as there: the font of the text (Pillow's own, for theirs cannot be shipped).

Every attack is a function of the picture and of the generator that it is given (`generator`), so a picture
is attacked the same way in every run. Pillow's and scikit-image's own functions where they exist.
"""

import hashlib
import io
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Picture = Image.Image
Change = Callable[[Picture, np.random.Generator], Picture]

_BICUBIC = Image.Resampling.BICUBIC
_LETTERS = np.array(list(string.ascii_letters + string.digits))
_TEXT_SIZE = 40 / 512  # height of the letters, of the picture's width
_LINE = 20  # characters


@dataclass(frozen=True)
class Attack:
    """name: such as `crop 20`. group: of attacks judged together. change: what is done to an RGB picture.

    quality: the attack is a JPEG file of this quality; all others are stored without loss.
    """

    name: str
    group: str
    change: Change
    quality: int | None = None

    @property
    def suffix(self) -> str:
        return ".png" if self.quality is None else ".jpg"

    def file(self, image: Picture, rng: np.random.Generator) -> bytes:
        """The attacked picture as the bytes of a file."""
        if self.quality is not None:
            return _jpeg_bytes(image, self.quality)
        buffer = io.BytesIO()
        self.change(image, rng).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def generator(photograph: str, attack: str) -> np.random.Generator:
    """The random numbers of one attack on one photograph: of their names alone, whatever is made before."""
    return np.random.default_rng(list(hashlib.sha256(f"{photograph}\n{attack}".encode()).digest()))


def noise(mode: str, **strength: float) -> Change:
    """skimage.util.random_noise on the scale 0..1, cut off at 0 and 1: independent in every pixel and colour.

    gaussian adds, speckle adds a multiple of the pixel, s&p sets a share of the values to 0 or 1.
    """

    def change(image: Picture, rng: np.random.Generator) -> Picture:
        from skimage.util import random_noise

        return _picture(random_noise(np.asarray(image), mode, rng=rng, **strength) * 255)

    return change


def gaussian_filter(size: int) -> Change:
    """A Gaussian cut to size x size pixels, of standard deviation 0.6 ((size - 1) / 2 - 1) + 1.

    The size alone leaves the deviation open; OpenCV's own rule would give 0.8 to 1.4 instead of 1 to 2.2.
    """
    sigma = 0.6 * ((size - 1) / 2 - 1) + 1

    def change(image: Picture, rng: np.random.Generator) -> Picture:
        from skimage.filters import gaussian

        options: dict[str, Any] = {"mode": "mirror", "preserve_range": True, "channel_axis": -1}
        return _picture(gaussian(np.asarray(image), sigma, truncate=(size // 2) / sigma, **options))

    return change


def median_filter(size: int) -> Change:
    """The median of size x size pixels, of each colour."""
    return lambda image, rng: image.filter(ImageFilter.MedianFilter(size))


def jpeg(quality: int) -> Change:
    """Pillow's encoder as it is set up: quality as libjpeg counts it, colours at half resolution."""
    return lambda image, rng: Image.open(io.BytesIO(_jpeg_bytes(image, quality))).convert("RGB")


def scale(factor: float) -> Change:
    """Width and height times `factor`, bicubic, and left at that size."""
    return lambda image, rng: image.resize(_size(image, factor), _BICUBIC)


def crop(percent: int) -> Change:
    """`percent` of the width and of the height are cut away, evenly on both sides; the rest, brought back
    to the picture's size, bicubic. At 60 % that is 16 % of the area.
    """

    def change(image: Picture, rng: np.random.Generator) -> Picture:
        width, height = _size(image, 1 - percent / 100)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height)).resize(image.size, _BICUBIC)

    return change


def rotate(degrees: int) -> Change:
    """Turned counter-clockwise on a canvas that holds all of it, black corners, then squeezed back to the
    picture's size, bicubic: what is not square changes its proportions as well.
    """
    return lambda image, rng: image.rotate(degrees, _BICUBIC, expand=True).resize(image.size, _BICUBIC)


def shear(degrees: int) -> Change:
    """Along x, then along y by the same angle, about the centre, bicubic; the picture keeps its size, so
    corners are lost and black ones come in.

    Both axes, as torchvision's `affine` with two angles does it: at 20 degrees one diagonal is stretched
    2.1 times as far as the other, where a shear along x alone would stretch it 1.4 times.
    """
    t = float(np.tan(np.radians(degrees)))

    def change(image: Picture, rng: np.random.Generator) -> Picture:
        x, y = image.width / 2, image.height / 2
        a, b, d, e = 1 + t * t, -t, -t, 1.0  # the inverse: from a place in the new picture to the old one
        inverse = (a, b, x - a * x - b * y, d, e, y - d * x - e * y)
        return image.transform(image.size, Image.Transform.AFFINE, inverse, _BICUBIC)

    return change


def enhance(enhancer: Callable[[Picture], Any], factor: float) -> Change:
    """One of Pillow's ImageEnhance; a factor of 1 would leave the picture as it is."""
    return lambda image, rng: enhancer(image).enhance(factor)


def text(length: int) -> Change:
    """`length` random letters and digits in lines of 20, white with a black edge, at a random place.

    Letters are 40/512 of the picture's width high, so that 50 of them cover the same share of any picture.
    """

    def change(image: Picture, rng: np.random.Generator) -> Picture:
        letters = "".join(rng.choice(_LETTERS, length))
        lines = "\n".join(letters[i : i + _LINE] for i in range(0, length, _LINE))
        font = ImageFont.load_default(max(6, round(image.width * _TEXT_SIZE)))
        out = image.copy()
        draw = ImageDraw.Draw(out)
        left, top, right, bottom = draw.multiline_textbbox((0, 0), lines, font=font, stroke_width=2)
        x, y = (
            rng.uniform(0, max(0, room))
            for room in (image.width - (right - left), image.height - (bottom - top))
        )
        style: dict[str, Any] = {"fill": "white", "stroke_width": 2, "stroke_fill": "black"}
        draw.multiline_text((round(x - left), round(y - top)), lines, font=font, **style)
        return out

    return change


def _attacks() -> dict[str, Attack]:
    found = [
        *(Attack(f"gaussian noise {v}", "noise", noise("gaussian", var=v)) for v in (0.01, 0.02, 0.05)),
        *(Attack(f"speckle {v}", "noise", noise("speckle", var=v)) for v in (0.01, 0.02, 0.05)),
        *(Attack(f"salt and pepper {v}", "noise", noise("s&p", amount=v)) for v in (0.05, 0.1, 0.15)),
        *(Attack(f"gaussian filter {k}", "filter", gaussian_filter(k)) for k in (3, 5, 7)),
        *(Attack(f"median filter {k}", "filter", median_filter(k)) for k in (3, 5, 7)),
        *(Attack(f"jpeg {q}", "jpeg", jpeg(q), quality=q) for q in (10, 50, 90)),
        *(Attack(f"scale {s}", "scale", scale(s)) for s in (0.4, 0.8, 1.2, 1.6)),
        *(Attack(f"crop {p}", "crop 5-20" if p <= 20 else "crop 40-60", crop(p)) for p in _STEPS),
        *(Attack(f"rotate {d}", "rotate 5-20" if d <= 20 else "rotate 40-60", rotate(d)) for d in _STEPS),
        *(Attack(f"shear {d}", "shear 1-10" if d <= 10 else "shear 20", shear(d)) for d in (1, 2, 5, 10, 20)),
        *(
            Attack(f"{name} {factor}", "photometric", enhance(enhancer, factor))
            for name, enhancer in _ENHANCERS.items()
            for factor in (0.5, 0.66, 1.5, 2)
        ),
        *(Attack(f"text {n}", "text", text(n)) for n in (10, 20, 30, 40, 50)),
    ]
    return {attack.name: attack for attack in found}


_STEPS = (5, 10, 20, 40, 60)
_ENHANCERS: dict[str, Callable[[Picture], Any]] = {
    "contrast": ImageEnhance.Contrast,
    "colour": ImageEnhance.Color,
    "brightness": ImageEnhance.Brightness,
    "sharpness": ImageEnhance.Sharpness,
}
ATTACKS: dict[str, Attack] = _attacks()
GOALS: dict[str, float] = dict.fromkeys(
    ("noise", "filter", "jpeg", "scale", "photometric", "text", "crop 5-20"), 0.98
) | {"rotate 5-20": 0.95, "shear 1-10": 0.95}
"""Recall that is asked of a group; of the others none is."""


def _size(image: Picture, factor: float) -> tuple[int, int]:
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _picture(values: npt.NDArray[np.float64]) -> Picture:
    """uint8 of values 0..255, rounded."""
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _jpeg_bytes(image: Picture, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
