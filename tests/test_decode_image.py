"""Decoding: hostile files become statuses without taking memory; every mode becomes the same RGB."""

import io
import random
import resource
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared.images import decode_image
from tests.hostile_images import HUGE, broken, exif, png
from tests.images import Pixels, encode, scene

MANY = 100_000_000
BROKEN = broken()


def decoded(data: bytes) -> Pixels:
    pixels = decode_image(data, MANY)
    assert not isinstance(pixels, str), pixels
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    return pixels


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_header_is_refused_before_memory_is_taken(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert decode_image(HUGE[name], MANY) == "image_too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_invalid(name: str) -> None:
    assert decode_image(BROKEN[name], MANY) == "image_invalid"


def test_the_pixel_limit_is_exact() -> None:
    data = encode(scene(1, 40, 30))
    assert decode_image(data, 1199) == "image_too_large"
    assert not isinstance(decode_image(data, 1200), str)


def test_pillow_keeps_no_limit_of_its_own() -> None:
    assert isinstance(
        decode_image(png(20_000, 10_000), 2**31), str
    )  # has no rows: invalid, but no bomb error
    assert decode_image(png(20_000, 10_000), 2**31) == "image_invalid"


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]), st.integers(0, 2**32))
def test_no_damage_raises(form: str, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(encode(scene(2, 32, 24), form))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    result = decode_image(bytes(data), 1_000_000)
    assert result in ("image_invalid", "image_too_large") if isinstance(result, str) else result.ndim == 3


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_lossless_forms_give_the_pixels_back(form: str) -> None:
    assert (decoded(encode(scene(3), form)) == scene(3)).all()


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "MPO"])
def test_lossy_forms_give_nearly_the_pixels_back(form: str) -> None:
    difference = decoded(encode(scene(3), form)).astype(int) - scene(3)
    assert np.abs(difference).mean() < 12


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_thin_pictures_decode(shape: tuple[int, int]) -> None:
    assert decoded(encode(np.zeros((*shape, 3), np.uint8))).shape == (*shape, 3)


def test_transparency_lies_over_white() -> None:
    rgba = np.zeros((10, 12, 4), np.uint8)
    rgba[:, :4] = (255, 0, 0, 0)
    rgba[:, 4:8] = (0, 0, 255, 255)
    rgba[:, 8:] = (0, 0, 0, 128)
    pixels = decoded(saved(Image.fromarray(rgba), "PNG"))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 5].tolist() == [0, 0, 255]
    assert pixels[0, 9].tolist() == [127, 127, 127]
    grey_alpha = Image.fromarray(rgba).convert("LA")
    assert decoded(saved(grey_alpha, "PNG"))[0, 0].tolist() == [255, 255, 255]
    assert decoded(saved(Image.fromarray(rgba), "WEBP", lossless=True))[0, 0].tolist() == [255, 255, 255]


def test_a_transparent_colour_of_a_palette_or_of_rgb_lies_over_white() -> None:
    palette = Image.fromarray(np.repeat(np.arange(4, dtype=np.uint8)[None], 4, 0)).convert("L").convert("P")
    assert decoded(saved(palette, "PNG", transparency=0))[0, 0].tolist() == [255, 255, 255]
    assert decoded(saved(palette, "GIF", transparency=0))[0, 0].tolist() == [255, 255, 255]
    rgb = Image.fromarray(np.full((4, 4, 3), 9, np.uint8))
    assert decoded(saved(rgb, "PNG", transparency=(9, 9, 9)))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBA", "RGB"])
def test_modes_become_rgb(mode: str) -> None:
    image = Image.fromarray(scene(5)).convert("L").convert("RGB").convert(mode)
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    pixels = decoded(saved(image, form, **({"quality": 95} if form == "JPEG" else {})))
    assert np.abs(pixels.astype(int) - np.asarray(image.convert("RGB"))).mean() < 3


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    grey = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    for form in ("PNG", "TIFF"):
        pixels = decoded(saved(Image.fromarray(grey), form))
        assert pixels[..., 0].ravel().tolist() == list(range(256))
    assert decoded(encode_png_rgb16())[0, 0].tolist() == [0x12, 0x56, 0x9A]


def encode_png_rgb16() -> bytes:
    data = bytearray(png(1, 1, b"\0\x12\x34\x56\x78\x9a\xbc"))
    ihdr = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    data[16 : 16 + 17] = ihdr + struct.pack(">I", zlib.crc32(b"IHDR" + ihdr))
    return bytes(data)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_32_bit_grey_is_stretched(kind: type) -> None:
    values: npt.NDArray[Any] = np.array([[-1000, 0], [500, 1000]], kind)
    assert decoded(saved(Image.fromarray(values), "TIFF"))[..., 1].tolist() == [[0, 128], [191, 255]]


def test_numbers_that_are_not_finite_do_no_harm() -> None:
    values = np.array([[np.nan, np.inf, -np.inf], [0, 3e38, -3e38]], np.float32)
    assert decoded(saved(Image.fromarray(values), "TIFF"))[..., 0].tolist() == [[0, 0, 0], [128, 255, 0]]
    assert not decoded(saved(Image.fromarray(np.full((3, 3), np.nan, np.float32)), "TIFF")).any()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once(form: str) -> None:
    corner = np.zeros((40, 60, 3), np.uint8)
    corner[:20, :20] = 255
    turned = {1: corner, 3: corner[::-1, ::-1], 6: np.rot90(corner, -1), 8: np.rot90(corner)}
    turned |= {
        2: corner[:, ::-1],
        4: corner[::-1],
        5: corner.swapaxes(0, 1),
        7: corner[::-1, ::-1].swapaxes(0, 1),
    }
    for orientation, expected in turned.items():
        pixels = decoded(exif(corner, orientation, form))
        assert pixels.shape == expected.shape, orientation
        assert np.abs(pixels.astype(int) - expected).mean() < 6, orientation


def test_a_broken_exif_block_does_not_spoil_the_picture() -> None:
    good = encode(scene(6), "JPEG")
    for orientation in (0, 9, 255):
        assert (decoded(exif(scene(6), orientation)) == decoded(good)).all()
    noise = (
        b"\xff\xe1" + struct.pack(">H", 2 + 6 + 40) + b"Exif\0\0" + b"II*\0\xff\xff\xff\xff" + b"\x99" * 32
    )
    assert (decoded(good[:2] + noise + good[2:]) == decoded(good)).all()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_counts(form: str) -> None:
    frames = [Image.fromarray(np.full((10, 10, 3), grey, np.uint8)) for grey in (0, 255)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert decoded(data).mean() < 5
