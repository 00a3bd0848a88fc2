"""Files that pretend to be pictures, made by code."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.images import encode, scene


def png(width: int, height: int, data: bytes | None = None) -> bytes:
    """A PNG whose header says width x height, 8-bit grey; `data` are its uncompressed rows."""
    rows = b"" if data is None else zlib.compress(data)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def gif_frame_beyond_its_screen(width: int, height: int) -> bytes:
    data = bytearray(encode(scene(1, 16, 16)[:10, :10], "GIF"))
    at = data.index(b",\0\0\0\0\x0a\0\x0a\0")
    data[at + 5 : at + 9] = struct.pack("<HH", width, height)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    """An extended header alone: its decoder would take the canvas's memory at opening."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def tiff(width: int, height: int) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value & 0xFFFFFFFF) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg(width: int, height: int) -> bytes:
    """A real JPEG whose frame header says width x height."""
    data = bytearray(encode(scene(1), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


HUGE = {
    "png": png(30_000, 30_000),
    "bmp": bmp(30_000, 30_000),
    "gif": gif_frame_beyond_its_screen(30_000, 30_000),
    "webp": webp(16_000_000, 200),
    "tiff": tiff(30_000, 30_000),
    "jpeg": jpeg(30_000, 30_000),
    "png2^31": png(2**31 - 1, 2**31 - 1),
}
"""30,000 x 30,000 pixels and more by their headers, in a few hundred bytes."""


def broken() -> dict[str, bytes]:
    """Each is `image_invalid`."""
    forms = {form: encode(scene(2), form) for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")}
    bad_crc = bytearray(forms["PNG"])
    bad_crc[len(bad_crc) // 2] ^= 0xFF
    progressive = encode(scene(2), "JPEG", progressive=True)
    lzw = encode(scene(2), "TIFF", compression="tiff_lzw")
    return {
        "empty": b"",
        "one byte": b"\xff",
        "text": b"this is not a picture\n",
        "html": b"<html><body>404</body></html>",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        "ppm, a format we do not take": b"P6 1 1 255\n\0\0\0",
        "zeros": bytes(1000),
        "png signature alone": forms["PNG"][:8],
        "png without data": png(10, 10),
        "png of size zero": png(0, 10, b""),
        "png with a broken checksum": bytes(bad_crc),
        "png text bomb": forms["PNG"][:33] + _chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**27))),
        "progressive jpeg cut": progressive[: len(progressive) // 3],
        "lzw tiff cut": lzw[: len(lzw) // 2],
        **{f"{form} cut in the middle": data[: len(data) // 2] for form, data in forms.items()},
        **{f"{form} header alone": data[:30] for form, data in forms.items()},
        **{f"{form} signature, then noise": data[:12] + _noise() for form, data in forms.items()},
    }


def _noise() -> bytes:
    return np.random.default_rng(9).integers(0, 256, 3000, dtype=np.uint8).tobytes()


def exif(pixels: np.ndarray, orientation: object, form: str = "JPEG") -> bytes:
    """A file whose EXIF block says how to turn it."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, exif=tags.tobytes())
    return buffer.getvalue()
