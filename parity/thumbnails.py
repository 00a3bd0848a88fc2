"""Pictures as small JPEG data URIs, so that a page needs nothing beside itself."""

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from shared.images import FORMATS

SIZE = 280  # pixels of the longer side: sharp on dense screens at half that
QUALITY = 72
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Thumbnail:
    """uri: the JPEG as `data:`; width and height of it in pixels."""

    uri: str
    width: int
    height: int


def thumbnail(file: Path | BinaryIO) -> Thumbnail | None:
    """None where the picture cannot be read: a page shows bad pictures too."""
    try:
        with warnings.catch_warnings(), Image.open(file, formats=FORMATS) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if picture.width * picture.height > MAX_PIXELS:
                return None  # checked here as well: Pillow's own limit is one of the whole process
            picture.draft("RGB", (2 * SIZE, 2 * SIZE))
            small = ImageOps.exif_transpose(picture).convert("RGB")
            small.thumbnail((SIZE, SIZE))
    except Exception:  # of a broken file Pillow raises more than OSError: see shared/images.py
        return None
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(uri, small.width, small.height)
