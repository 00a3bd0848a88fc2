"""Bytes of a picture -> RGB pixels, the same for any hostile, broken or exotic file on every machine."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""The only decoders that ever see a payload: some of Pillow's others run programs or read other files."""

# Pillow's own limit is a constant; ours is limits.image_pixels, checked before anything is decoded.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def decode_image(data: bytes, max_pixels: int) -> npt.NDArray[np.uint8] | str:
    """uint8[height, width, 3] RGB of an encoded picture, or `image_invalid` or `image_too_large`.

    The size comes from the header, before pixels are decoded or memory is taken for them. The first
    frame counts; EXIF orientation is applied; transparency lies over white; 16-bit grey keeps its high
    byte; 32-bit grey is stretched from its least to its greatest value; colour profiles are ignored.
    MemoryError is raised: it is this machine's, not the picture's.
    """
    try:
        if _webp_pixels(data) > max_pixels:
            return "image_too_large"
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                return "image_too_large"
            image.load()
            upright = _upright(image)
            pixels = _rgb(upright)
    except MemoryError:
        raise
    except Exception:
        # Bytes in memory are all that is read here, so any error is the file's: Pillow raises OSError,
        # SyntaxError, ValueError, EOFError, struct.error, KeyError, zlib.error and more for broken ones.
        return "image_invalid"
    return pixels if pixels.size else "image_invalid"


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # a broken EXIF block says nothing about the picture
        orientation = None
    turn = _TRANSPOSE.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        return np.repeat(_stretch(np.asarray(image, np.float64))[..., None], 3, axis=2)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, (255, 255, 255))
        image.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _stretch(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """0..255 over the range of the finite values; anything else, and a uniform picture, is 0."""
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    # Halved, the range of float64 cannot overflow.
    scaled = (np.where(finite, values, low) / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(scaled * 255).astype(np.uint8)


def _webp_pixels(data: bytes) -> int:
    """Pixels of a WebP canvas by its extended header, else 0: its decoder takes the memory at opening."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X":
        return 0
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    return width * height
